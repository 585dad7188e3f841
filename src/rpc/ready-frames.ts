import type { HandlerContext } from "@connectrpc/connect";
import type { LogEntry } from "../event/event.ts";
import { type Encoding, frameOf, messageBytes } from "./entry-frame.ts";
import { type FrameWriter, frameWriterKey } from "./frame-writer.ts";

/** From this size on the framework compresses messages where the reader takes that (its default), so they are left to it. */
const COMPRESS_MIN_BYTES = 1024;

/**
 * What is joined for one write at most: as much as a connection takes before it wants its writer to wait. What is larger goes
 * alone and as it is: all readers that are stuck at it share it.
 */
const MAX_WRITE_BYTES = 16 * 1024;

/** Sends entries of a log without the framework, which passes each message of each stream through a dozen promises. */
export interface ReadyFrames {
  /**
   * Writes entries from the first on and says how many. It ends behind the last one of the stream, before one that is to be
   * compressed, and where the call is over; what is left is to be sent in the framework's way.
   */
  write(entries: readonly LogEntry[], isLast: (entry: LogEntry) => boolean): Promise<number>;
}

/** Undefined where the server or the protocol takes no frames. */
export function readyFramesOf({ values, signal, requestHeader }: HandlerContext): ReadyFrames | undefined {
  const writer = values.get(frameWriterKey);
  const encoding = encodingOf(requestHeader.get("content-type") ?? "");
  const maxBytes = compresses(requestHeader) ? COMPRESS_MIN_BYTES : Infinity;
  return writer && encoding && createReadyFrames(writer, { encoding, maxBytes, signal });
}

/** Whether the framework may compress the answer: it takes what the request accepts, or else what it came in. */
function compresses(header: Headers): boolean {
  const names = ["grpc-accept-encoding", "connect-accept-encoding", "grpc-encoding", "connect-content-encoding"];
  return names.some((name) => header.has(name));
}

/** Undefined for what is no stream, or not framed in this way. */
function encodingOf(contentType: string): Encoding | undefined {
  const type = contentType.split(";")[0] ?? "";
  const match = /^application\/(?:grpc|grpc-web|(?:connect|grpc|grpc-web)\+(proto|json))$/i.exec(type.trim());
  if (match === null) return undefined;
  return match[1]?.toLowerCase() === "json" ? "json" : "binary";
}

export interface ReadyFramesOptions {
  readonly encoding: Encoding;
  /** Messages of this size are not written here. */
  readonly maxBytes: number;
  /** Aborted when the call is over. */
  readonly signal: AbortSignal;
}

export function createReadyFrames(
  writer: FrameWriter,
  { encoding, maxBytes, signal }: ReadyFramesOptions,
): ReadyFrames {
  return {
    async write(entries, isLast) {
      let written = 0;
      let isOver = false;
      while (!isOver && written < entries.length && writer.isOpen() && !signal.aborted) {
        const frames: Buffer[] = [];
        let bytes = 0;
        while (!isOver && bytes < MAX_WRITE_BYTES) {
          const entry = entries[written + frames.length];
          if (entry === undefined || isSurelyOver(entry, maxBytes)) break;
          const frame = frameOf(entry, encoding);
          if (messageBytes(frame) >= maxBytes || (bytes > 0 && bytes + frame.length > MAX_WRITE_BYTES)) break;
          frames.push(frame);
          bytes += frame.length;
          isOver = isLast(entry);
        }
        const [first] = frames;
        if (first === undefined) break;
        written += frames.length;
        const full = writer.write(frames.length === 1 ? first : join(frames, bytes));
        if (full !== undefined) await full;
      }
      return written;
    },
  };
}

/** Not from the pool, as `Buffer.concat` would: what a stuck reader is sent stays for long, and would keep 8 KiB for each piece. */
function join(frames: readonly Buffer[], bytes: number): Buffer {
  const joined = Buffer.allocUnsafeSlow(bytes);
  let end = 0;
  for (const frame of frames) {
    joined.set(frame, end);
    end += frame.length;
  }
  return joined;
}

/** Not to encode in vain what is too large. */
function isSurelyOver(entry: LogEntry, maxBytes: number): boolean {
  return ("delta" in entry ? entry.delta.text.length : entry.payload.length) >= maxBytes;
}
