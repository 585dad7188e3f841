import { timingSafeEqual } from "node:crypto";
import { auditEntry } from "../audit/audit-entry.ts";
import type { Clock } from "../clock.ts";
import type { NewId } from "../id.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import {
  ADMIN_NAME,
  hashSecret,
  newSecret,
  type Principal,
  type Scope,
  type Token,
  tokenNameTaken,
  tokenNotFound,
  tokenRevoked,
} from "./token.ts";
import {
  deleteExpiredTokens,
  deleteToken,
  insertToken,
  listTokensBefore,
  type HashedToken,
  type StoredToken,
} from "./token-store.ts";

export interface NewToken {
  readonly name: string;
  readonly scope: Scope;
  /** Undefined = until it is revoked. */
  readonly lifetimeMs: number | undefined;
  /** The name of the caller's token. */
  readonly actor: string;
}

/** The tokens besides the engine's own. */
export interface Tokens {
  /** The secret is in the answer and nowhere else. Throws DomainError `TOKEN_NAME_TAKEN`. */
  create(wanted: NewToken): Promise<{ readonly token: Token; readonly secret: string }>;
  /** Those given out before `beforeKey` (undefined = from the newest), the newest first. */
  list(beforeKey: number | undefined, limit: number): Promise<readonly StoredToken[]>;
  /** It opens nothing from now on, and what is open with it ends. Throws DomainError `TOKEN_NOT_FOUND`. */
  revoke(id: string, actor: string): Promise<void>;
  /** Whose token has this hash; undefined where it is nobody's, or opens nothing any more. */
  find(sha256: Buffer): Principal | undefined;
  /** Removes what has expired. */
  sweep(): Promise<void>;
  /** Stops its timers. */
  close(): void;
}

/** The clock on the wall may be set: how long it is left is looked up again after this at the latest. */
const MAX_WAIT_MS = 60 * 60_000;

/** A token that opens the engine. */
interface Grant {
  readonly token: HashedToken;
  readonly principal: Principal;
  readonly controller: AbortController;
  cancelTimer: () => void;
}

/** Every call asks for its token: they are all kept in memory. */
export async function openTokens(db: Database, clock: Clock, newId: NewId): Promise<Tokens> {
  const grants = new Map<string, Grant>();

  function isExpired({ expireTimeMs }: Token): boolean {
    return expireTimeMs !== undefined && expireTimeMs <= clock.now();
  }

  function grant(token: HashedToken): void {
    const controller = new AbortController();
    const principal = { name: token.name, scope: token.scope, ended: controller.signal };
    const made: Grant = { token, principal, controller, cancelTimer: () => {} };
    grants.set(keyOf(token.sha256), made);
    wait(made);
  }

  /** Ends it on time. */
  function wait(granted: Grant): void {
    const { expireTimeMs } = granted.token;
    if (expireTimeMs === undefined) return;
    const leftMs = Math.max(0, expireTimeMs - clock.now());
    granted.cancelTimer = clock.after(Math.min(leftMs, MAX_WAIT_MS), () => {
      if (isExpired(granted.token)) end(granted, "has expired");
      else wait(granted);
    });
  }

  function end(granted: Grant, why: "was revoked" | "has expired"): void {
    granted.cancelTimer();
    grants.delete(keyOf(granted.token.sha256));
    granted.controller.abort(tokenRevoked(granted.token, why));
  }

  for (const token of await listTokensBefore(db, undefined, Number.MAX_SAFE_INTEGER, clock.now())) grant(token);

  return {
    async create({ name, scope, lifetimeMs, actor }) {
      if (name.toLowerCase() === ADMIN_NAME) throw tokenNameTaken(name);
      const secret = newSecret();
      const createTimeMs = clock.now();
      const expireTimeMs = lifetimeMs === undefined ? undefined : createTimeMs + lifetimeMs;
      const token = { id: newId("tok"), name, scope, sha256: hashSecret(secret), createTimeMs, expireTimeMs };
      try {
        await db.transact([...insertToken(token), auditOfNew(token, actor)]);
      } catch (error) {
        throw error instanceof ClaimLost ? tokenNameTaken(name) : error;
      }
      grant(token);
      return { token, secret };
    },
    list: (beforeKey, limit) => listTokensBefore(db, beforeKey, limit, clock.now()),
    async revoke(id, actor) {
      try {
        // Also where the disk is full: somebody may be trying to keep an intruder out.
        const nowMs = clock.now();
        const entry = auditEntry({ action: "TOKEN_REVOKED", timeMs: nowMs, actor, target: id });
        await db.transact([deleteToken(id, nowMs), entry], { essential: true });
      } catch (error) {
        throw error instanceof ClaimLost ? tokenNotFound(id) : error;
      }
      for (const granted of grants.values()) if (granted.token.id === id) end(granted, "was revoked");
    },
    find(sha256) {
      const granted = grants.get(keyOf(sha256));
      if (granted === undefined || !timingSafeEqual(sha256, granted.token.sha256)) return undefined;
      if (!isExpired(granted.token)) return granted.principal;
      end(granted, "has expired");
      return undefined;
    },
    sweep: () => db.transact([deleteExpiredTokens(clock.now())]),
    close() {
      for (const { cancelTimer } of grants.values()) cancelTimer();
    },
  };
}

function auditOfNew({ id, name, scope, createTimeMs, expireTimeMs }: Token, actor: string): Statement {
  const detail = { name, scope, expire_time_ms: expireTimeMs ?? null };
  return auditEntry({ action: "TOKEN_CREATED", timeMs: createTimeMs, actor, target: id, detail });
}

function keyOf(sha256: Buffer): string {
  return sha256.toString("base64");
}
