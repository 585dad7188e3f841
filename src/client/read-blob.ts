import type { IncomingHttpHeaders, IncomingHttpStatusHeader } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { refusal, type OpenRequest } from "./upload-blob.ts";

/**
 * A blob's bytes, at most 64 MiB: a picture or a file of a message, or all of a tool's result. Throws ConnectError as calls do,
 * `BLOB_NOT_FOUND` among them.
 */
export async function getBlob(open: OpenRequest, sha256: string, signal?: AbortSignal): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const { stream, onRead } = await open("GET", `/blobs/${encodeURIComponent(sha256)}`, {});
  const onAbort = (): void => void stream.destroy(signal?.reason as Error);
  signal?.addEventListener("abort", onAbort, { once: true });
  stream.end();
  try {
    let status = 0;
    stream.once("response", (headers: IncomingHttpHeaders & IncomingHttpStatusHeader) => {
      status = headers[":status"] ?? 0;
    });
    const pieces: Buffer[] = [];
    for await (const piece of stream) {
      onRead();
      pieces.push(piece as Buffer);
    }
    const bytes = Buffer.concat(pieces);
    if (status === 200) return bytes;
    throw refusal(status, bytes.toString("utf8"));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ConnectError) throw error;
    throw new ConnectError(`the download broke off: ${String(error)}`, Code.Unavailable);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    stream.close();
  }
}
