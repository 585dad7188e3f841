import { pipeline } from "node:stream/promises";
import type { AuthFailure } from "../audit/auth-failures.ts";
import type { BlobStore } from "../blob/blob-store.ts";
import { blobTooLarge, checkedContentType, MAX_BLOB_BYTES, type Blob } from "../blob/blob.ts";
import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { admitAs, authFailureOf } from "../rpc/interceptors/access.ts";
import { isPeerGone } from "../rpc/interceptors/peer-gone.ts";
import type { FindPrincipal } from "../rpc/interceptors/principal.ts";
import { readRange } from "./byte-range.ts";
import { refuse } from "./http-refusal.ts";
import type { Limits } from "./limits.ts";
import { linger } from "./linger.ts";
import type { ServerReply, ServerRequest } from "./listener.ts";
import { boundWait, readBody } from "./request-body.ts";

export interface BlobHandlerDeps {
  readonly blobs: BlobStore;
  readonly findPrincipal: FindPrincipal;
  /** Told of everybody who is kept out. */
  readonly onAuthFailure?: ((failure: AuthFailure) => void) | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Told of a failure that no caller can be told of. */
  readonly onError: (error: unknown, where: string) => void;
}

const PATH = /^\/blobs(?:\/([^?]*))?(?:\?|$)/;
const SHA256 = /^[0-9a-f]{64}$/;

/** `POST /blobs` and `GET /blobs/SHA256`. The returned function says whether the request was one for it. */
export function createBlobHandler(deps: BlobHandlerDeps): (request: ServerRequest, reply: ServerReply) => boolean {
  return (request, reply) => {
    const match = PATH.exec(request.url ?? "");
    if (match === null) return false;
    serve(deps, request, reply, match[1]).catch((error: unknown) => {
      if (isPeerGone(error)) return void reply.destroy();
      const place = { method: `${request.method ?? ""} /blobs`, source: request.socket.remoteAddress ?? "" };
      const failure = authFailureOf(error, place);
      if (failure !== undefined) deps.onAuthFailure?.(failure);
      // The rest of what is being sent is thrown away for a moment: cut at once, the refusal would not arrive.
      linger(request, reply, deps);
      refuse(reply, error, (cause) => deps.onError(cause, "/blobs"));
    });
    return true;
  };
}

async function serve(
  deps: BlobHandlerDeps,
  request: ServerRequest,
  reply: ServerReply,
  name: string | undefined,
): Promise<void> {
  const isRead = request.method === "GET" || request.method === "HEAD";
  admitAs(isRead ? "read" : "operate", request.headers.authorization, deps.findPrincipal);
  if (name === undefined && request.method === "POST") return upload(deps, request, reply);
  if (name !== undefined && SHA256.test(name) && isRead)
    return download(deps, request, reply, await deps.blobs.get(name));
  if (name === undefined || SHA256.test(name)) throw methodNotAllowed(reply, name === undefined ? "POST" : "GET, HEAD");
  throw new DomainError("not_found", "NOT_FOUND", "a blob is named by its SHA-256: 64 digits of lower-case hex");
}

async function upload(
  { blobs, limits, clock }: BlobHandlerDeps,
  request: ServerRequest,
  reply: ServerReply,
): Promise<void> {
  // Told before anything is read, where the client says so.
  if (Number(request.headers["content-length"]) > MAX_BLOB_BYTES) throw blobTooLarge();
  const body = boundWait(readBody(request), request, { limits, clock, tooLate });
  const { sha256, sizeBytes } = await blobs.write(body, checkedContentType(request.headers["content-type"]));
  const text = JSON.stringify({ sha256, sizeBytes });
  reply.statusCode = 201;
  reply.setHeader("content-type", "application/json");
  reply.setHeader("content-length", Buffer.byteLength(text));
  reply.setHeader("location", `/blobs/${sha256}`);
  reply.end(text);
}

async function download(
  { blobs }: BlobHandlerDeps,
  request: ServerRequest,
  reply: ServerReply,
  blob: Blob,
): Promise<void> {
  const etag = `"${blob.sha256}"`;
  setSafeHeaders(reply, blob);
  reply.setHeader("etag", etag);
  if (request.headers["if-none-match"]?.split(/\s*,\s*/).includes(etag) === true) {
    reply.statusCode = 304;
    return void reply.end();
  }
  const range = readRange(request.headers, blob.sizeBytes, etag);
  if (range === "unsatisfiable") {
    reply.setHeader("content-range", `bytes */${blob.sizeBytes}`);
    throw new DomainError("out_of_range", "RANGE_NOT_SATISFIABLE", `the blob has ${blob.sizeBytes} bytes`);
  }
  const bytes = request.method === "HEAD" ? undefined : await blobs.read(blob, range);
  reply.statusCode = range === undefined ? 200 : 206;
  if (range !== undefined) reply.setHeader("content-range", `bytes ${range.start}-${range.end}/${blob.sizeBytes}`);
  reply.setHeader("content-type", blob.contentType);
  reply.setHeader("content-length", range === undefined ? blob.sizeBytes : range.end - range.start + 1);
  if (bytes === undefined) return void reply.end();
  await pipeline(bytes, reply);
}

/** Whoever uploaded it says what it is: an image may be shown in a page, but no blob may be a page of this origin. */
function setSafeHeaders(reply: ServerReply, { sha256 }: Blob): void {
  reply.setHeader("accept-ranges", "bytes");
  reply.setHeader("cache-control", "private, max-age=31536000, immutable");
  reply.setHeader("content-disposition", `attachment; filename="${sha256}"`);
  reply.setHeader("content-security-policy", "default-src 'none'; sandbox");
  reply.setHeader("cross-origin-resource-policy", "same-origin");
  reply.setHeader("x-content-type-options", "nosniff");
}

function tooLate(): DomainError {
  return new DomainError("unavailable", "BODY_TIMEOUT", "the rest of the blob did not come in time; upload it again");
}

function methodNotAllowed(reply: ServerReply, allow: string): DomainError {
  reply.setHeader("allow", allow);
  return new DomainError("invalid", "METHOD_NOT_ALLOWED", `this path takes ${allow}`);
}
