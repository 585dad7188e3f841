import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { DomainError, type ErrorCode } from "../errors.ts";
import { addFrameworkReason, toConnectError } from "../rpc/interceptors/errors.ts";
import type { ServerReply } from "./listener.ts";

/** As Connect has them. */
const STATUS_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  not_found: 404,
  already_exists: 409,
  invalid: 400,
  precondition: 400,
  out_of_range: 400,
  unauthenticated: 401,
  denied: 403,
  exhausted: 429,
  unavailable: 503,
};

/** Where HTTP has a word of its own for it. */
const STATUS_OF_REASON: Readonly<Record<string, number>> = {
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
  const status = told === error ? (STATUS_OF_REASON[told.reason] ?? STATUS_OF_CODE[told.code]) : 500;
  if (status === 401) reply.setHeader("www-authenticate", "Bearer");
  for (const name of ["content-disposition", "cache-control", "etag"]) reply.removeHeader(name);
  refuseWith(reply, status, told);
}

/** As `refuse`, with a status of HTTP's own. gRPC clients go by it. */
export function refuseWith(reply: ServerReply, status: number, error: DomainError): void {
  const { reason, metadata } = error;
  const json = errorToJson(toConnectError(error), undefined);
  const code = status === 500 ? { code: "internal" } : {};
  reply.statusCode = status;
  endWith(reply, { ...json, ...code, reason, ...(Object.keys(metadata).length > 0 && { metadata }) });
}

/** What a path is answered with that nothing is at. */
export function refusePath(reply: ServerReply, path: string): void {
  if (/^\/[\w.]+\.\w+\/\w+(?:\?|$)/.test(path)) {
    return refuseInWords(reply, 404, "there is no such method; the methods are /parley.v1.SERVICE/METHOD");
  }
  const error = new ConnectError("there is nothing at this path", Code.NotFound);
  addFrameworkReason(error);
  reply.statusCode = 404;
  endWith(reply, { ...errorToJson(error, undefined), reason: "NOT_FOUND" });
}

/**
 * Refuses what is no call of a method. All three protocols read the status and take JSON for a method's own error, so the words are
 * for humans alone. Source: the Connect conformance suite, "Unexpected Requests".
 */
export function refuseInWords(reply: ServerReply, status: number, words: string): void {
  reply.statusCode = status;
  reply.setHeader("content-type", "text/plain");
  reply.end(`${words}\n`);
}

/** As Connect writes errors, and with the reason beside, for who reads no details. */
function endWith(reply: ServerReply, error: object): void {
  const body = JSON.stringify(error);
  reply.setHeader("content-type", "application/json");
  reply.setHeader("content-length", Buffer.byteLength(body));
  reply.end(body);
}

function internal(error: unknown, onBug: (error: unknown) => void): DomainError {
  const id = randomUUID();
  onBug(new Error(`error ${id}`, { cause: error }));
  const message = `internal error; its id in the engine's log is ${id}`;
  return new DomainError("unavailable", "INTERNAL", message, { error_id: id });
}
