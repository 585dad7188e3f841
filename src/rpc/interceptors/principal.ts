import { createHash, timingSafeEqual } from "node:crypto";
import { createContextKey, type ContextKey } from "@connectrpc/connect";

export type Scope = "read" | "operate" | "admin";

/** Who calls. */
export interface Principal {
  readonly name: string;
  readonly scope: Scope;
}

/** A token that was given out: who has it, and the SHA-256 of what they show. */
export interface KnownToken {
  readonly principal: Principal;
  readonly sha256: Buffer;
}

export type FindPrincipal = (token: string) => Principal | undefined;

/** Who the call is from; undefined only for methods that are open to everyone. */
export const principalKey: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(undefined, {
  description: "who calls",
});

export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}

/**
 * Looks tokens up by their hash. Every known one is compared, each in constant time: how long it takes says nothing about
 * how close a guess was, nor to whose token.
 */
export function createTokenFinder(known: () => Iterable<KnownToken>): FindPrincipal {
  return (token) => {
    const shown = hashToken(token);
    let found: Principal | undefined;
    for (const { principal, sha256 } of known()) {
      if (timingSafeEqual(shown, sha256)) found = principal;
    }
    return found;
  };
}
