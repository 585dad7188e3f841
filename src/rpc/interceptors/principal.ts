import { timingSafeEqual } from "node:crypto";
import { createContextKey, type ContextKey } from "@connectrpc/connect";
import { hashSecret, type Principal } from "../../token/token.ts";

/** A token that opens the engine: who has it, and the SHA-256 of what they show. */
export interface KnownToken {
  readonly principal: Principal;
  readonly sha256: Buffer;
}

export type FindPrincipal = (token: string) => Principal | undefined;

/** Who the call is from; undefined only for methods that are open to everyone. */
export const principalKey: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(undefined, {
  description: "who calls",
});

/** The address that the call comes from; empty = a socket in the file system. */
export const peerKey: ContextKey<string> = createContextKey("", { description: "where the caller is" });

/**
 * Looks tokens up by their hash. Every known one is compared, each in constant time: how long it takes says nothing about
 * how close a guess was, nor to whose token. `issued` finds those of which there may be many.
 */
export function createTokenFinder(
  known: () => Iterable<KnownToken>,
  issued: (sha256: Buffer) => Principal | undefined = () => undefined,
): FindPrincipal {
  return (token) => {
    const shown = hashSecret(token);
    let found: Principal | undefined;
    for (const { principal, sha256 } of known()) {
      if (timingSafeEqual(shown, sha256)) found = principal;
    }
    return found ?? issued(shown);
  };
}
