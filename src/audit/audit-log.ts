import type { Clock } from "../clock.ts";
import type { Database, Statement } from "../store/database.ts";
import { auditEntry, type AuditDraft } from "./audit-entry.ts";
import { findOld, readEnds, removeThrough } from "./audit-store.ts";
import { type ChainEnd, createSealing, formatEnd, NO_END, setEnd } from "./chain.ts";
import type { Scrub } from "./scrub.ts";

/**
 * The audit log: what was done with the engine and by whom, in a chain of hashes. Entries about a change of the store go with
 * it, as statements of `auditEntry`; what changes nothing is added here.
 */
export interface AuditLog {
  /** Writes down what is no part of another transaction. */
  add(draft: Omit<AuditDraft, "timeMs">, options?: { readonly essential?: boolean }): Promise<void>;
  /** The last entry. */
  head(): Promise<ChainEnd>;
  /** Removes what is older than it has to be kept. */
  trim(): Promise<void>;
}

export interface AuditLogOptions {
  readonly clock: Clock;
  readonly scrub: Scrub;
  readonly keepMs: number;
}

/** Old entries go in pieces of so many: a transaction of all would stop every stream. */
const TRIM_AT_ONCE = 2000;

/** From now on the store's entries are chained. To be called before anything else is written. */
export async function openAuditLog(db: Database, { clock, scrub, keepMs }: AuditLogOptions): Promise<AuditLog> {
  const mend = await mendEnds(db, clock);
  db.sealWith(createSealing(scrub));
  if (mend.length > 0) await db.transact(mend);

  return {
    add: (draft, options) => db.transact([auditEntry({ ...draft, timeMs: clock.now() })], options),
    head: async () => (await readEnds(db)).head ?? NO_END,
    async trim() {
      for (;;) {
        const nowMs = clock.now();
        const end = await findOld(db, nowMs - keepMs, TRIM_AT_ONCE);
        if (end === undefined) return;
        // Its own entry vouches for the anchor: who only cuts the chain off has none.
        const trimmed = { through: formatEnd(end) };
        const entry = auditEntry({ action: "AUDIT_TRIMMED", timeMs: nowMs, actor: "", detail: trimmed });
        await db.transact([...removeThrough(end), entry]);
      }
    },
  };
}

/**
 * Entries behind the head are nobody's: those of an engine come with it. They stay where they are, for `verify` to name, and the
 * chain goes on behind them; so it does where an end is missing.
 */
async function mendEnds(db: Database, clock: Clock): Promise<readonly Statement[]> {
  const { anchor, head, lastSeq } = await readEnds(db);
  if (anchor !== undefined && head !== undefined && lastSeq <= head.seq) return [];
  const known = head ?? NO_END;
  const seq = Math.max(lastSeq, known.seq);
  const missing: Statement[] = (["anchor", "head"] as const).map((name) => ({
    sql: "INSERT INTO audit_ends (name, seq, hash) VALUES (?, 0, ?) ON CONFLICT DO NOTHING",
    params: [name, NO_END.hash],
  }));
  const detail = { head: formatEnd(known), last_seq: lastSeq, anchor_missing: anchor === undefined };
  return [
    ...missing,
    setEnd("head", { seq, hash: known.hash }),
    auditEntry({ action: "AUDIT_DAMAGED", timeMs: clock.now(), actor: "", detail }),
  ];
}
