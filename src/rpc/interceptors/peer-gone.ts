/** How Node tells that the connection or stream which was read from, or written to, is gone. */
const CODES: ReadonlySet<unknown> = new Set([
  "ECANCELED",
  "ECONNRESET",
  "EPIPE",
  "ERR_HTTP2_INVALID_STREAM",
  "ERR_HTTP2_SESSION_ERROR",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_HTTP2_STREAM_ERROR",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_WRITE_AFTER_END",
]);

/** How deep causes are looked for; a chain may be a ring. */
const MAX_CAUSES = 5;

/** Whether an error says no more than that a peer has left: nobody can be told of it, and nobody has to do anything about it. */
export function isPeerGone(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
    if ("code" in cause && CODES.has(cause.code)) return true;
    cause = cause.cause;
  }
  return false;
}
