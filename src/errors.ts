/** What kind of refusal an error is. `rpc/` maps each to one canonical RPC code. */
export type ErrorCode =
  | "not_found"
  | "already_exists"
  | "invalid"
  | "precondition"
  | "out_of_range"
  | "unauthenticated"
  | "denied"
  | "exhausted"
  | "unavailable";

/**
 * A refusal that a caller can act on. `reason` is the constant that clients branch on (UPPER_SNAKE); the message is
 * lower case, names the field or the id, says what to do, and holds no secret, SQL or path of the server.
 */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly code: ErrorCode;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    reason: string,
    message: string,
    metadata: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.reason = reason;
    this.metadata = metadata;
  }
}

/** The refusal of one field whose shape is right but whose value cannot be. */
export function invalidField(field: string, message: string): DomainError {
  return new DomainError("invalid", "INVALID_FIELD", `${field}: ${message}`, { field });
}

/** Reports a bug: a condition that this program is sure of does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Makes a forgotten case of a union a type error, and a bug where it is reached after all. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
