import type { JsonObject } from "../message/message.ts";
import type { Statement } from "../store/database.ts";

/** What is written down. A name never changes its meaning: old entries are read for as long as they are kept. */
export const AUDIT_ACTIONS = [
  "ENGINE_STARTED",
  "ENGINE_STOPPED",
  "AUTH_FAILED",
  "TOKEN_CREATED",
  "TOKEN_REVOKED",
  "RULE_CREATED",
  "RULE_REMOVED",
  "RULES_REPLACED",
  "APPROVAL_MODE_SET",
  "WORKSPACE_TRUST_SET",
  "PERMISSION_DECIDED",
  "REQUEST_ENDED",
  "TOOL_STARTED",
  "TOOL_ENDED",
  "BACKUP_CREATED",
  "STORE_RESTORED",
  "SESSION_DELETED",
  "HISTORY_CUT",
  "FILES_REVERTED",
  "SESSIONS_EXPORTED",
  "SESSIONS_IMPORTED",
  "HOOK_FAILED",
  "AUDIT_TRIMMED",
  "AUDIT_DAMAGED",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What is to be written down. */
export interface AuditDraft {
  readonly action: AuditAction;
  readonly timeMs: number;
  /** The name of the caller's token; empty = the engine itself, or nobody knows. */
  readonly actor: string;
  /** Absent = of no session. The session may be gone by now. */
  readonly sessionId?: string;
  /** What it was done to: an id, a path, a tool's name. */
  readonly target?: string;
  /** What else is to be known. Names no secret; see `scrub.ts` for those that come in a command line. */
  readonly detail?: JsonObject;
}

/** An entry as it is stored. */
export interface AuditEntry {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly timeMs: number;
  readonly actor: string;
  readonly action: string;
  readonly sessionId: string;
  readonly target: string;
  /** JSON, exactly as it was hashed. */
  readonly detail: string;
  /** Of the entry before; 32 bytes, zeros where there was none. */
  readonly prevHash: Uint8Array;
  /** Undefined: no engine wrote it. */
  readonly hash: Uint8Array | undefined;
}

/** The most of an entry's detail, in bytes of its JSON. */
const MAX_DETAIL_BYTES = 8 * 1024;

/** Of a detail that is too large, texts are cut to this, and if that is not enough its beginning is kept as text. */
const CUT_CHARS = 1024;

const MAX_TARGET_CHARS = 1024;

/**
 * The statement that writes an entry down. It belongs into the transaction of what it tells of: then neither is there without
 * the other. It gets its hash in the same commit.
 */
export function auditEntry({ action, timeMs, actor, sessionId = "", target = "", detail = {} }: AuditDraft): Statement {
  const text = boundedJson(detail);
  return {
    sql: `INSERT INTO audit_entries (seq, time_ms, actor, action, session_id, target, detail)
      SELECT 1 + coalesce((SELECT max(seq) FROM audit_entries WHERE seq > head.seq), head.seq), ?, ?, ?, ?, ?, ?
      FROM audit_ends AS head WHERE head.name = 'head'`,
    params: [timeMs, actor, action, sessionId, cut(target, MAX_TARGET_CHARS), text],
    wantsSeal: true,
  };
}

function boundedJson(detail: JsonObject): string {
  const whole = JSON.stringify(detail).toWellFormed();
  if (Buffer.byteLength(whole) <= MAX_DETAIL_BYTES) return whole;
  const shorter = Object.entries(detail).map(([name, value]) => [
    name,
    typeof value === "string" ? cut(value, CUT_CHARS) : value,
  ]);
  const short = JSON.stringify(Object.fromEntries(shorter)).toWellFormed();
  if (Buffer.byteLength(short) <= MAX_DETAIL_BYTES) return short;
  return JSON.stringify({ cut: cut(whole, CUT_CHARS) });
}

function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text.toWellFormed();
  return `${text.slice(0, maxChars).toWellFormed()}… [${text.length} characters]`;
}
