import { createHash } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { Database, Statement } from "../store/database.ts";

/** How long a key is remembered. */
const KEEP_MS = 24 * 60 * 60_000;

/** A call that names a key. `scope` keeps keys of different methods and sessions apart. */
export interface KeyedCall {
  readonly scope: string;
  /** Empty = none: every call is a new one. */
  readonly key: string;
  /** What the call asks for, as JSON; the same key with other content is refused. */
  readonly content: unknown;
}

/** What makes a call and its repetition one. */
export interface KeyedEffect<T> {
  /** Returns what the first call made, as it is now. */
  find(resourceId: string): Promise<T>;
  /** Does it. `remember(id)` is part of its transaction, so that key and effect are stored together or not at all. */
  make(remember: (resourceId: string) => readonly Statement[]): Promise<T>;
}

/** Runs calls that name a key at most once. */
export interface Idempotency {
  once<T>(call: KeyedCall, effect: KeyedEffect<T>): Promise<T>;
  /** Forgets keys older than 24 hours. */
  sweep(): Promise<void>;
}

export function createIdempotency(db: Database, clock: Clock): Idempotency {
  const underWay = new Map<string, Promise<unknown>>();

  async function findOrMake<T>(call: KeyedCall, effect: KeyedEffect<T>): Promise<T> {
    const contentHash = createHash("sha256").update(canonicalJson(call.content)).digest("base64");
    const known = await db.get<{ content_hash: string; resource_id: string }>({
      sql: "SELECT content_hash, resource_id FROM idempotency_keys WHERE scope = ? AND key = ? AND create_time_ms > ?",
      params: [call.scope, call.key, clock.now() - KEEP_MS],
    });
    if (known === undefined) return effect.make((id) => [remember(call, contentHash, id, clock.now())]);
    if (known.content_hash === contentHash) return effect.find(known.resource_id);
    throw new DomainError(
      "already_exists",
      "IDEMPOTENCY_KEY_REUSED",
      `idempotency_key ${call.key} was used with other content; use a new key`,
      { idempotency_key: call.key },
    );
  }

  return {
    once: async (call, effect) => {
      if (call.key === "") return effect.make(() => []);
      const name = `${call.scope}\n${call.key}`;
      for (;;) {
        const other = underWay.get(name);
        if (other === undefined) break;
        // What it came to is looked up; what failed is tried again, by us.
        await other.catch(() => undefined);
      }
      const mine = findOrMake(call, effect);
      underWay.set(name, mine);
      try {
        return await mine;
      } finally {
        underWay.delete(name);
      }
    },
    sweep: () =>
      db.transact([{ sql: "DELETE FROM idempotency_keys WHERE create_time_ms <= ?", params: [clock.now() - KEEP_MS] }]),
  };
}

function remember(call: KeyedCall, contentHash: string, resourceId: string, nowMs: number): Statement {
  return {
    sql: `INSERT INTO idempotency_keys (scope, key, content_hash, resource_id, create_time_ms) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (scope, key) DO UPDATE SET content_hash = excluded.content_hash, resource_id = excluded.resource_id,
      create_time_ms = excluded.create_time_ms WHERE idempotency_keys.create_time_ms <= ?`,
    params: [call.scope, call.key, contentHash, resourceId, nowMs, nowMs - KEEP_MS],
    claim: "idempotency key",
  };
}
