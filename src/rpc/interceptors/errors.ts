import { randomUUID } from "node:crypto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { DomainError, type ErrorCode } from "../../errors.ts";
import type { Logger } from "./log.ts";
import { isPeerGone } from "./peer-gone.ts";

const DOMAIN = "parley";

const CODES: Readonly<Record<ErrorCode, Code>> = {
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  invalid: Code.InvalidArgument,
  precondition: Code.FailedPrecondition,
  out_of_range: Code.OutOfRange,
  unauthenticated: Code.Unauthenticated,
  denied: Code.PermissionDenied,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
};

/** Reasons of what the framework refuses by itself, by its code. */
const FRAMEWORK_REASONS: Readonly<Record<Code, string>> = {
  [Code.Canceled]: "CANCELLED",
  [Code.Unknown]: "UNKNOWN",
  [Code.InvalidArgument]: "MALFORMED_REQUEST",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "REQUEST_TOO_LARGE",
  [Code.FailedPrecondition]: "FAILED_PRECONDITION",
  [Code.Aborted]: "ABORTED",
  [Code.OutOfRange]: "OUT_OF_RANGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "DATA_LOSS",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** One field that is not as its proto says. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** A refusal as clients see it: code, message, `ErrorInfo`, and what else its metadata tells. */
export function toConnectError(error: DomainError, violations: readonly FieldViolation[] = []): ConnectError {
  const connectError = new ConnectError(error.message, CODES[error.code], undefined, undefined, error);
  addReason(connectError, error.reason, error.metadata);
  const fields =
    violations.length > 0 || error.reason !== "INVALID_FIELD"
      ? violations
      : [{ field: error.metadata["field"] ?? "", description: error.message }];
  if (fields.length > 0) {
    connectError.details.push({
      desc: BadRequestSchema,
      value: { fieldViolations: fields.map(({ field, description }) => ({ field, description })) },
    });
  }
  const retryAfterMs = Number(error.metadata["retry_after_ms"]);
  if (Number.isFinite(retryAfterMs))
    connectError.details.push({ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryAfterMs) } });
  return connectError;
}

/** Gives an error of the framework (undecodable, too large, too late, no such method) a reason that clients can branch on. */
export function addFrameworkReason(error: ConnectError): void {
  if (error.findDetails(ErrorInfoSchema).length > 0) return;
  // Connect calls bytes that are no such message its own failure; they are the caller's, as with JSON. Its errors are ours
  // to change here: it writes them out only after this.
  if (error.code === Code.Internal && error.rawMessage.startsWith("parse binary")) {
    (error as { code: Code }).code = Code.InvalidArgument;
  }
  const most = TOO_LARGE.exec(error.rawMessage)?.[1];
  if (most !== undefined) {
    const advice = "upload what is large with POST /blobs and name it by its sha256";
    (error as { rawMessage: string }).rawMessage = `the request is larger than ${most} bytes; ${advice}`;
  }
  addReason(error, FRAMEWORK_REASONS[error.code], {});
}

/** The framework's words for it, which tell nobody what to do. */
const TOO_LARGE = /^message size (?:\d+ )?is larger than configured readMaxBytes (\d+)$/;

function addReason(error: ConnectError, reason: string, metadata: Readonly<Record<string, string>>): void {
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: DOMAIN, metadata: { ...metadata } } });
}

export interface ErrorDeps {
  readonly logger: Logger;
  /** Makes the id that an internal error is found by in the log. */
  readonly newErrorId?: () => string;
}

/**
 * What a caller is told of anything that was thrown. What was not foreseen leaves as an id only: its text may hold a path, SQL or
 * a secret, and goes to the log.
 */
export function translateError(error: unknown, signal: AbortSignal, method: string, deps: ErrorDeps): ConnectError {
  if (error instanceof DomainError) return toConnectError(error);
  if (error instanceof ConnectError) {
    addFrameworkReason(error);
    return error;
  }
  // A caller that left while its request was being read, or its answer written.
  if (isPeerGone(error)) {
    const gone = new ConnectError("the caller has left", Code.Canceled);
    addFrameworkReason(gone);
    return gone;
  }
  // Cancelled by the caller, out of time, or the server stops: not the method's fault. The signal knows which.
  if (signal.aborted && isAbort(error, signal)) {
    if (signal.reason instanceof DomainError) return toConnectError(signal.reason);
    const aborted = ConnectError.from(signal.reason, Code.Canceled);
    addFrameworkReason(aborted);
    return aborted;
  }
  const id = deps.newErrorId?.() ?? randomUUID();
  deps.logger.error({ err: error, error_id: id, method }, "internal error");
  const internal = new ConnectError(`internal error; its id in the engine's log is ${id}`, Code.Internal);
  addReason(internal, "INTERNAL", { error_id: id });
  return internal;
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}

/** Translates what methods throw; in streams too, where a try around the call would see nothing. */
export function createErrorInterceptor(deps: ErrorDeps): Interceptor {
  return (next) => async (request) => {
    const translate = (error: unknown): never => {
      throw translateError(error, request.signal, request.method.name, deps);
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (error) {
      return translate(error);
    }
  };
}

/** By hand and not as a generator: three promises less for each message of a stream. */
function translated<T>(messages: AsyncIterable<T>, translate: (error: unknown) => never): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const source = messages[Symbol.asyncIterator]();
      const result: AsyncIterator<T> = { next: () => source.next().catch(translate) };
      if (source.return !== undefined)
        result.return = (value) => source.return?.(value) ?? Promise.resolve({ done: true, value: undefined });
      if (source.throw !== undefined)
        result.throw = (error) => source.throw?.(error).catch(translate) ?? Promise.reject(error as Error);
      return result;
    },
  };
}
