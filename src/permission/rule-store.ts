import type { Database, Row, SqlValue, Statement } from "../store/database.ts";
import { type Effect, EFFECTS, MAX_RULES, type Rule, ruleNotFound, type RuleScope } from "./rule.ts";

interface RuleRow extends Row {
  key: number;
  id: string;
  effect: Effect;
  scope: RuleScope;
  session_id: string;
  workspace: string;
  tool: string;
  pattern: string;
  created_by: string;
  create_time_ms: number;
  expire_time_ms: number | null;
}

/** A rule with its place among all. */
export type StoredRule = Rule & { readonly key: number };

/** Whose rules: of a session, of a folder, or of all sessions. */
export interface RulePlace {
  readonly scope: RuleScope;
  /** Empty but for scope session. */
  readonly sessionId: string;
  /** Empty but for scope workspace. */
  readonly workspace: string;
}

function ruleFromRow(row: RuleRow): StoredRule {
  return {
    key: row.key,
    id: row.id,
    effect: row.effect,
    scope: row.scope,
    sessionId: row.session_id,
    workspace: row.workspace,
    tool: row.tool,
    pattern: row.pattern,
    createdBy: row.created_by,
    createTimeMs: row.create_time_ms,
    expireTimeMs: row.expire_time_ms ?? undefined,
  };
}

/** Throws DomainError `RULE_NOT_FOUND`. */
export async function getRule(db: Database, id: string): Promise<StoredRule> {
  const row = await db.get<RuleRow>({ sql: "SELECT * FROM rules WHERE id = ?", params: [id] });
  if (row === undefined) throw ruleNotFound(id);
  return ruleFromRow(row);
}

/**
 * What reaches a session: its own rules, those of the sessions whose agents started it, its folder's, and those of all. Part of a
 * condition; one mark each for folder and key.
 */
const REACHES = `(scope = 'global' OR (scope = 'workspace' AND workspace = ?) OR (scope = 'session' AND session_key IN (
  WITH RECURSIVE chain (key, parent_id) AS (
    SELECT key, parent_session_id FROM sessions WHERE key = ?
    UNION ALL
    SELECT s.key, s.parent_session_id FROM chain JOIN sessions AS s ON s.id = chain.parent_id WHERE chain.parent_id <> ''
  )
  SELECT key FROM chain)))`;

/** The rules that reach a session and have not ended, in the order in which they are looked at. */
export async function listRulesOf(
  db: Database,
  session: { readonly key: number; readonly workspace: string },
  nowMs: number,
): Promise<StoredRule[]> {
  const rows = await db.all<RuleRow>({
    sql: `SELECT * FROM rules WHERE ${REACHES} AND (expire_time_ms IS NULL OR expire_time_ms > ?)`,
    params: [session.workspace, session.key, nowMs],
  });
  // Sorted here: the store takes four times as long for it as for the rest.
  return rows
    .map(ruleFromRow)
    .toSorted((a, b) => EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect) || b.key - a.key);
}

export interface RuleFilter {
  /** Undefined = any. */
  readonly reaching: { readonly key: number; readonly workspace: string } | undefined;
  /** Undefined = any. */
  readonly scope: RuleScope | undefined;
  readonly nowMs: number;
}

/** Those made before the one at `beforeKey`, the newest first. */
export async function listRulesBefore(
  db: Database,
  { reaching, scope, nowMs }: RuleFilter,
  beforeKey: number | undefined,
  limit: number,
): Promise<StoredRule[]> {
  const conditions = ["key < ?", "(expire_time_ms IS NULL OR expire_time_ms > ?)"];
  const params: SqlValue[] = [beforeKey ?? Number.MAX_SAFE_INTEGER, nowMs];
  if (reaching !== undefined) {
    conditions.push(REACHES);
    params.push(reaching.workspace, reaching.key);
  }
  if (scope !== undefined) {
    conditions.push("scope = ?");
    params.push(scope);
  }
  const rows = await db.all<RuleRow>({
    sql: `SELECT * FROM rules WHERE ${conditions.join(" AND ")} ORDER BY key DESC LIMIT ?`,
    params: [...params, limit],
  });
  return rows.map(ruleFromRow);
}

/**
 * Its session may be one that the same transaction makes. Its claim `room` is lost where its place has as many rules as it
 * may; what has ended does not count.
 */
export function insertRule(rule: Rule): Statement {
  const { sessionId, scope, workspace, createTimeMs } = rule;
  const values: SqlValue[] = [
    rule.id,
    rule.effect,
    scope,
    sessionId,
    workspace,
    rule.tool,
    rule.pattern,
    rule.createdBy,
    createTimeMs,
    rule.expireTimeMs ?? null,
  ];
  return {
    sql: `INSERT INTO rules (session_key, id, effect, scope, session_id, workspace, tool, pattern, created_by,
        create_time_ms, expire_time_ms)
      SELECT (SELECT key FROM sessions WHERE id = ?), ${values.map(() => "?").join(", ")}
      WHERE (SELECT count(*) FROM rules WHERE scope = ? AND session_id = ? AND workspace = ?
        AND (expire_time_ms IS NULL OR expire_time_ms > ?)) < ?`,
    params: [sessionId, ...values, scope, sessionId, workspace, createTimeMs, MAX_RULES],
    claim: "room",
  };
}

/** Its claim is lost where the rule is gone. */
export function deleteRule(id: string): Statement {
  return { sql: "DELETE FROM rules WHERE id = ?", params: [id], claim: "rule" };
}

export function deleteRulesAt({ scope, sessionId, workspace }: RulePlace): Statement {
  return {
    sql: "DELETE FROM rules WHERE scope = ? AND session_id = ? AND workspace = ?",
    params: [scope, sessionId, workspace],
  };
}

/** Removes what has ended. */
export function forgetEndedRules(nowMs: number): Statement {
  return { sql: "DELETE FROM rules WHERE expire_time_ms <= ?", params: [nowMs] };
}
