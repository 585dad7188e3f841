import { createHash, randomBytes } from "node:crypto";
import { DomainError } from "../errors.ts";

/** What a token is allowed to do; each includes the ones before it. */
export type Scope = "read" | "operate" | "admin";

/** Who calls. */
export interface Principal {
  readonly name: string;
  readonly scope: Scope;
  /** Aborted, with what to tell, when the token opens nothing any more. Absent where that does not happen while an engine runs. */
  readonly ended?: AbortSignal;
}

/** A token that was given out, without what opens the engine. */
export interface Token {
  readonly id: string;
  /** Unique, whatever the case of its letters. */
  readonly name: string;
  readonly scope: Scope;
  readonly createTimeMs: number;
  /** Undefined = never. */
  readonly expireTimeMs: number | undefined;
}

/** The token in the data directory is called so. */
export const ADMIN_NAME = "admin";

/** Tells scanners of published code and logs what they have found. */
const SECRET_PREFIX = "parley_";
const SECRET_BYTES = 32;

/** What opens the engine: the prefix and 32 random bytes as base64url. */
export function newSecret(): string {
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
}

/** What is kept of a secret. It has 256 random bits: a slow hash would only slow down every call. */
export function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret, "utf8").digest();
}

/** How streams end whose token opens nothing any more. */
export function tokenRevoked({ name }: Token, why: "was revoked" | "has expired"): DomainError {
  return new DomainError("unauthenticated", "TOKEN_REVOKED", `the token ${name} ${why}; call with another one`, {
    token: name,
  });
}

export function tokenNameTaken(name: string): DomainError {
  return new DomainError("already_exists", "TOKEN_NAME_TAKEN", `name: there is a token ${name}; take another name`, {
    name,
  });
}

export function tokenNotFound(id: string): DomainError {
  return new DomainError("not_found", "TOKEN_NOT_FOUND", `there is no token ${id}; list them with ListTokens`, {
    token_id: id,
  });
}
