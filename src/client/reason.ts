import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { DomainError } from "../errors.ts";

/** Why something was refused: `reason` is the constant to branch on. */
export interface Reason {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The engine's `google.rpc.ErrorInfo` of an error; undefined where the error does not come from an engine. */
export function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof DomainError) return { reason: error.reason, metadata: error.metadata };
  if (!(error instanceof ConnectError)) return undefined;
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "parley");
  return info && { reason: info.reason, metadata: info.metadata };
}

/** How long the engine asks to wait before the next try, in milliseconds; 0 where it does not say. */
export function retryDelayOf(error: unknown): number {
  if (!(error instanceof ConnectError)) return 0;
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? 0 : Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}

/**
 * Whether the same call may well succeed a little later: the engine stops, is away, is full, or the connection broke. What an
 * engine answered with a reason is final; what broke on the way has no reason, and its code says little (a stream cut
 * off in the middle is INVALID_ARGUMENT in Connect and INTERNAL in gRPC).
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof DomainError) return error.code === "unavailable";
  if (!(error instanceof ConnectError)) return false;
  switch (error.code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.ResourceExhausted:
      return true;
    // Whoever says these has understood the call: an engine, or a proxy in front of it.
    case Code.Unauthenticated:
    case Code.PermissionDenied:
    case Code.Unimplemented:
      return false;
    case Code.Canceled:
    case Code.Unknown:
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.AlreadyExists:
    case Code.FailedPrecondition:
    case Code.Aborted:
    case Code.OutOfRange:
    case Code.Internal:
    case Code.DataLoss:
      return reasonOf(error) === undefined;
  }
}
