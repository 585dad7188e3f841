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
