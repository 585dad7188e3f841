import { randomUUID } from "node:crypto";
import { DomainError, type ErrorCode } from "../errors.ts";
import type { ServerReply } from "./listener.ts";

/** As Connect has them, so that one client's way to look at errors does for all. */
const CODES: Readonly<Record<ErrorCode, { readonly status: number; readonly code: string }>> = {
  not_found: { status: 404, code: "not_found" },
  already_exists: { status: 409, code: "already_exists" },
  invalid: { status: 400, code: "invalid_argument" },
  precondition: { status: 400, code: "failed_precondition" },
  out_of_range: { status: 400, code: "out_of_range" },
  unauthenticated: { status: 401, code: "unauthenticated" },
  denied: { status: 403, code: "permission_denied" },
  exhausted: { status: 429, code: "resource_exhausted" },
  unavailable: { status: 503, code: "unavailable" },
};

/** Where HTTP has a word of its own for it. */
const STATUSES: Readonly<Record<string, number>> = {
  BLOB_TOO_LARGE: 413,
  BODY_TIMEOUT: 408,
  METHOD_NOT_ALLOWED: 405,
  RANGE_NOT_SATISFIABLE: 416,
  STORAGE_FULL: 507,
};

/** Answers a plain request with why it is refused. What was not foreseen leaves as an id that is told to `onBug`. */
export function refuse(reply: ServerReply, error: unknown, onBug: (error: unknown) => void): void {
  const told = error instanceof DomainError ? error : internal(error, onBug);
  // An answer that has begun cannot become another one: its end is missing, which its reader notices.
  if (reply.headersSent) return void reply.destroy();
  const { status, code } = told === error ? CODES[told.code] : { status: 500, code: "internal" };
  const { reason, message, metadata } = told;
  const body = JSON.stringify({ code, message, reason, ...(Object.keys(metadata).length > 0 && { metadata }) });
  reply.statusCode = STATUSES[reason] ?? status;
  if (reply.statusCode === 401) reply.setHeader("www-authenticate", "Bearer");
  reply.setHeader("content-type", "application/json");
  reply.setHeader("content-length", Buffer.byteLength(body));
  for (const name of ["content-disposition", "cache-control", "etag"]) reply.removeHeader(name);
  reply.end(body);
}

function internal(error: unknown, onBug: (error: unknown) => void): DomainError {
  const id = randomUUID();
  onBug(new Error(`error ${id}`, { cause: error }));
  const message = `internal error; its id in the engine's log is ${id}`;
  return new DomainError("unavailable", "INTERNAL", message, { error_id: id });
}
