import type { IncomingMessage } from "node:http";
import type { Readable, Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/** What came, up to a limit. */
export interface Body {
  readonly bytes: Buffer;
  /** Whether there was more. */
  readonly isCut: boolean;
}

/**
 * Reads an answer, unpacked, and stops at `maxBytes` of what it holds: of something small that unpacks to something endless no
 * more than that is ever made. Rejects where it ends early, or is not packed as it says.
 */
export async function readBody(answer: IncomingMessage, maxBytes: number): Promise<Body> {
  const unpacker = unpackerOf(answer.headers["content-encoding"] ?? "");
  const source: Readable = unpacker ?? answer;
  if (unpacker !== undefined) {
    answer.pipe(unpacker);
    answer.once("error", (error) => unpacker.destroy(error));
    answer.once("close", () => {
      if (!answer.complete) unpacker.destroy(new Error("the connection closed before the end"));
    });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxBytes) return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), isCut: true };
    }
    return { bytes: Buffer.concat(chunks), isCut: false };
  } finally {
    unpacker?.destroy();
    answer.destroy();
  }
}

/** Undefined for what comes as it is. */
function unpackerOf(encoding: string): Transform | undefined {
  switch (encoding.trim().toLowerCase()) {
    case "":
    case "identity":
      return undefined;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    default:
      throw new Error(`the answer is packed as ${encoding.slice(0, 100)}, which was not asked for`);
  }
}
