import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";

/** An uploaded file: what an import names it by. */
export interface UploadedBlob {
  /** SHA-256 in lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface UploadOptions {
  /** Absent = application/octet-stream. */
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes, or a source of them that is read no faster than they are sent. */
export type BlobSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Opens a request that is still to be sent. `onRead` is to be called when something of its answer has come. */
export type OpenRequest = (
  method: "GET" | "POST",
  path: string,
  headers: Readonly<Record<string, string>>,
) => Promise<{ readonly stream: ClientHttp2Stream; onRead(): void }>;

/**
 * Uploads at most 64 MiB as one blob. Throws ConnectError as calls do: `BLOB_TOO_LARGE`, `STORAGE_FULL`, and where the engine is away.
 */
export async function postBlob(
  open: OpenRequest,
  source: BlobSource,
  { contentType = "application/octet-stream", signal }: UploadOptions = {},
): Promise<UploadedBlob> {
  signal?.throwIfAborted();
  const { stream, onRead } = await open("POST", "/blobs", { "content-type": contentType });
  const onAbort = (): void => void stream.destroy(signal?.reason as Error);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const answer = readAnswer(stream, onRead);
    await send(stream, source, answer);
    const { status, text } = await answer;
    if (status === 201) return JSON.parse(text) as UploadedBlob;
    throw refusal(status, text);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof ConnectError
      ? error
      : new ConnectError(`the upload broke off: ${String(error)}`, Code.Unavailable);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    stream.close();
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function readAnswer(stream: ClientHttp2Stream, onRead: () => void): Promise<Answer> {
  let status = 0;
  let text = "";
  stream.on(
    "response",
    (headers: IncomingHttpHeaders & IncomingHttpStatusHeader) => (status = headers[":status"] ?? 0),
  );
  stream.setEncoding("utf8").on("data", (piece: string) => {
    onRead();
    text += piece;
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    stream.once("error", reject);
    stream.once("end", () => resolve({ status, text }));
    stream.once("close", () => reject(new Error("the connection was closed")));
  });
  // Whoever sends is told of it; that may be later.
  answer.catch(() => undefined);
  return answer;
}

/** Sends until all is sent, or the answer has come: a refusal does not wait for the rest. */
async function send(stream: ClientHttp2Stream, source: BlobSource, answer: Promise<unknown>): Promise<void> {
  let isAnswered = false;
  const answered = answer.then(
    () => (isAnswered = true),
    () => (isAnswered = true),
  );
  for await (const piece of source instanceof Uint8Array ? [source] : source) {
    if (isAnswered) return;
    if (stream.write(piece)) continue;
    await Promise.race([answered, new Promise((resolve) => stream.once("drain", resolve))]);
  }
  stream.end();
}

/** The same error as a call would have thrown. */
export function refusal(status: number, text: string): ConnectError {
  const { code = "", message = `HTTP ${status}`, reason = "", metadata = {} } = parseRefusal(text);
  const name = code.replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
  const known = Code[name as keyof typeof Code];
  const error = new ConnectError(message, known ?? Code.Unknown);
  if (reason !== "") error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: "parley", metadata } });
  return error;
}

interface RefusalBody {
  readonly code?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly metadata?: Record<string, string>;
}

function parseRefusal(text: string): RefusalBody {
  try {
    return JSON.parse(text) as RefusalBody;
  } catch {
    // A proxy in front of the engine.
    return {};
  }
}
