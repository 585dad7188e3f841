import { createHash } from "node:crypto";
import type { Row, Sealing, Statement } from "../store/database.ts";
import type { AuditEntry } from "./audit-entry.ts";
import type { Scrub } from "./scrub.ts";

/** A place in the chain: the entry of this number had this hash. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** Before the first entry of all. */
export const NO_END: ChainEnd = { seq: 0, hash: new Uint8Array(32) };

export interface EntryRow extends Row {
  seq: number;
  time_ms: number;
  actor: string;
  action: string;
  session_id: string;
  target: string;
  detail: string;
  prev_hash: Uint8Array | null;
  hash: Uint8Array | null;
}

export function entryFromRow(row: EntryRow): AuditEntry {
  return {
    seq: row.seq,
    timeMs: row.time_ms,
    actor: row.actor,
    action: row.action,
    sessionId: row.session_id,
    target: row.target,
    detail: row.detail,
    prevHash: row.prev_hash ?? new Uint8Array(),
    hash: row.hash ?? undefined,
  };
}

/**
 * SHA-256 over the hash before and the entry as a JSON array of its fields, in UTF-8. docs/operations.md says the same, for
 * whoever checks an export: it never changes.
 */
export function hashEntry(prevHash: Uint8Array, entry: Omit<AuditEntry, "prevHash" | "hash">): Uint8Array {
  const { seq, timeMs, actor, action, sessionId, target, detail } = entry;
  const text = JSON.stringify([seq, timeMs, actor, action, sessionId, target, detail]);
  return createHash("sha256").update(prevHash).update(text, "utf8").digest();
}

/** Chains what a commit brings to the head, in order, and takes known secrets out of it before they are on the disk. */
export function createSealing(scrub: Scrub): Sealing {
  return {
    select: {
      sql: `SELECT entry.*, head.hash AS head_hash FROM audit_ends AS head JOIN audit_entries AS entry ON entry.seq > head.seq
        WHERE head.name = 'head' ORDER BY entry.seq`,
      params: [],
    },
    seal: (rows) => sealEntries(rows as (EntryRow & { head_hash: Uint8Array })[], scrub),
  };
}

function sealEntries(rows: readonly (EntryRow & { head_hash: Uint8Array })[], scrub: Scrub): readonly Statement[] {
  const statements: Statement[] = [];
  let end: ChainEnd | undefined;
  for (const row of rows) {
    const prevHash = end?.hash ?? row.head_hash;
    const entry = { ...entryFromRow(row), target: scrub(row.target), detail: scrub(row.detail) };
    end = { seq: row.seq, hash: hashEntry(prevHash, entry) };
    statements.push({
      sql: "UPDATE audit_entries SET target = ?, detail = ?, prev_hash = ?, hash = ? WHERE seq = ?",
      params: [entry.target, entry.detail, prevHash, end.hash, row.seq],
    });
  }
  return end === undefined ? statements : [...statements, setEnd("head", end)];
}

export function setEnd(name: "anchor" | "head", { seq, hash }: ChainEnd): Statement {
  return { sql: "UPDATE audit_ends SET seq = ?, hash = ? WHERE name = ?", params: [seq, hash, name] };
}

/** `12:9f86d0…`, with the whole hash: how an end is named to people, in logs and in manifests. */
export function formatEnd({ seq, hash }: ChainEnd): string {
  return `${seq}:${Buffer.from(hash).toString("hex")}`;
}

/** Undefined where the text names no end. */
export function parseEnd(text: string): ChainEnd | undefined {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text);
  if (match === null) return undefined;
  return { seq: Number(match[1]), hash: Buffer.from(match[2] ?? "", "hex") };
}
