import type { JsonObject } from "../message/message.ts";
import type { Permission } from "../permission/permission.ts";
import type { Database, Query, Row, SqlValue, Statement } from "../store/database.ts";
import { NEXT_REVISION, REVISION } from "../store/revision.ts";
import { auditOfEnd } from "./request-audit.ts";
import {
  MAX_OPEN,
  requestNotFound,
  type Answer,
  type GivenAnswer,
  type Priority,
  type Request,
  type RequestEnd,
  type RequestKind,
  type RequestOption,
  type RequestState,
} from "./request.ts";

export interface RequestRow extends Row {
  key: number;
  id: string;
  session_id: string;
  root_session_id: string;
  kind: RequestKind;
  title: string;
  body: string;
  context: string | null;
  options: string;
  form: string | null;
  priority: number;
  tags: string;
  deadline_ms: number | null;
  default_answer: string | null;
  state: RequestState;
  answer: string | null;
  answered_by: string;
  claimed_by: string;
  created_by: string;
  create_time_ms: number;
  end_time_ms: number | null;
  end_reason: string;
  revision: number;
  turn_id: string;
  call_id: string;
  permission: string | null;
}

/** A request with its place among all, and the number of its last change in the whole engine. */
export type StoredRequest = Request & { readonly key: number; readonly revision: number };

/** Ended requests of no session are kept for so long, and those that ended with their session. */
const KEEP_MS = 30 * 24 * 60 * 60_000;
const KEEP_OF_REMOVED_MS = 24 * 60 * 60_000;

const PRIORITIES: readonly Priority[] = ["low", "normal", "high", "urgent"];

/** 1 = low to 4 = urgent. */
export function rankOf(priority: Priority): number {
  return PRIORITIES.indexOf(priority) + 1;
}

export function requestFromRow(row: RequestRow): StoredRequest {
  return {
    key: row.key,
    revision: row.revision,
    id: row.id,
    sessionId: row.session_id,
    rootSessionId: row.root_session_id || row.session_id,
    turnId: row.turn_id,
    callId: row.call_id,
    permission: fromJson(row.permission) as Permission | undefined,
    kind: row.kind,
    title: row.title,
    body: row.body,
    context: fromJson(row.context) as JsonObject | undefined,
    options: JSON.parse(row.options) as readonly RequestOption[],
    form: fromJson(row.form) as JsonObject | undefined,
    priority: PRIORITIES[row.priority - 1] ?? "normal",
    tags: JSON.parse(row.tags) as readonly string[],
    deadlineMs: row.deadline_ms ?? undefined,
    defaultAnswer: fromJson(row.default_answer) as GivenAnswer | undefined,
    state: row.state,
    answer: fromJson(row.answer) as Answer | undefined,
    answeredBy: row.answered_by,
    claimedBy: row.claimed_by,
    createdBy: row.created_by,
    createTimeMs: row.create_time_ms,
    endTimeMs: row.end_time_ms ?? undefined,
    endReason: row.end_reason,
  };
}

function fromJson(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text);
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** How much of a page a request takes: what may be large of it. */
export function sizeOfRow(row: Row): number {
  const large = [
    row["body"],
    row["context"],
    row["options"],
    row["form"],
    row["default_answer"],
    row["answer"],
    row["permission"],
  ];
  return large.reduce<number>((sum, value) => sum + (typeof value === "string" ? Buffer.byteLength(value) : 0), 1000);
}

/** Throws DomainError `REQUEST_NOT_FOUND`. */
export async function getRequest(db: Database, id: string): Promise<StoredRequest> {
  const row = await db.get<RequestRow>({ sql: "SELECT * FROM requests WHERE id = ?", params: [id] });
  if (row === undefined) throw requestNotFound(id);
  return requestFromRow(row);
}

/** Answers `RequestRow`s, of a session and of those below it, the oldest first; ends with the one by which they exceed `maxBytes`. */
export function selectOpenOfSession(sessionKey: number, maxBytes: number): Query {
  let bytes = 0;
  return {
    sql: `SELECT * FROM requests WHERE key IN (
        SELECT key FROM requests WHERE session_key = ? AND state = 'open'
        UNION ALL
        SELECT key FROM requests WHERE root_session_id = (SELECT id FROM sessions WHERE key = ?)
          AND root_session_id <> '' AND state = 'open'
      ) ORDER BY key`,
    params: [sessionKey, sessionKey],
    stop: (row) => (bytes += sizeOfRow(row)) > maxBytes,
  };
}

/** The open ones of a session and of those below it, the oldest first. */
export async function listOpenOfSession(db: Database, sessionKey: number): Promise<StoredRequest[]> {
  return (await db.all<RequestRow>(selectOpenOfSession(sessionKey, Infinity))).map(requestFromRow);
}

/** The open ones of one session, or of all. */
export async function countOpen(db: Database, sessionKey?: number): Promise<number> {
  const where = sessionKey === undefined ? "" : "AND session_key = ?";
  const row = await db.get<{ count: number }>({
    sql: `SELECT count(*) AS count FROM requests WHERE state = 'open' ${where}`,
    params: sessionKey === undefined ? [] : [sessionKey],
  });
  return row?.count ?? 0;
}

/** Its claim `room` is lost where there are as many open ones as there may be. */
export function insertRequest(request: Request, sessionKey: number | undefined): readonly Statement[] {
  const values: SqlValue[] = [
    request.id,
    sessionKey ?? null,
    request.sessionId,
    request.turnId,
    request.callId,
    request.kind,
    request.title,
    request.body,
    toJson(request.context),
    JSON.stringify(request.options),
    toJson(request.form),
    rankOf(request.priority),
    JSON.stringify(request.tags),
    request.deadlineMs ?? null,
    toJson(request.defaultAnswer),
    request.createdBy,
    request.createTimeMs,
    toJson(request.permission),
  ];
  return [
    NEXT_REVISION,
    {
      sql: `INSERT INTO requests (id, session_key, session_id, turn_id, call_id, kind, title, body, context, options, form, priority, tags,
          deadline_ms, default_answer, created_by, create_time_ms, permission, state, answered_by, claimed_by, end_reason, revision)
        SELECT ${values.map(() => "?").join(", ")}, 'open', '', '', '', ${REVISION}
        WHERE (SELECT count(*) FROM requests WHERE state = 'open') < ?
        AND (SELECT count(*) FROM requests WHERE session_key = ? AND state = 'open') < ?`,
      params: [...values, MAX_OPEN.engine, sessionKey ?? null, MAX_OPEN.session],
      claim: "room",
    },
  ];
}

/** What becomes of a request at its end. */
export interface Ending {
  readonly state: RequestEnd;
  readonly answer: Answer | undefined;
  readonly answeredBy: string;
  readonly endReason: string;
  readonly endTimeMs: number;
}

/** Its claim is lost where the request is not as it was read any more. */
export function endRequest(request: StoredRequest, ending: Ending): readonly Statement[] {
  const { state, answer, answeredBy, endReason, endTimeMs } = ending;
  const forgetTimeMs = request.sessionId === "" ? endTimeMs + KEEP_MS : null;
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE requests SET state = ?, answer = ?, answered_by = ?, end_reason = ?, end_time_ms = ?, forget_time_ms = ?,
        revision = ${REVISION} WHERE key = ? AND state = 'open' AND revision = ?`,
      params: [state, toJson(answer), answeredBy, endReason, endTimeMs, forgetTimeMs, request.key, request.revision],
      claim: "request",
    },
    auditOfEnd(request, ending),
  ];
}

/** Its claim is lost where the request is not as it was read any more. */
export function setClaimedBy(request: StoredRequest, claimedBy: string): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE requests SET claimed_by = ?, revision = ${REVISION} WHERE key = ? AND state = 'open' AND revision = ?`,
      params: [claimedBy, request.key, request.revision],
      claim: "request",
    },
  ];
}

/** Ends all open requests of a session that goes, whoever opened them last. They have one revision together. */
export function cancelOfRemoved(sessionKey: number, actor: string, nowMs: number): readonly Statement[] {
  return [
    NEXT_REVISION,
    {
      sql: `UPDATE requests SET state = 'cancelled', answered_by = ?, end_reason = 'its session was deleted', end_time_ms = ?,
        forget_time_ms = ?, revision = ${REVISION} WHERE session_key = ? AND state = 'open'`,
      params: [actor, nowMs, nowMs + KEEP_OF_REMOVED_MS, sessionKey],
    },
  ];
}

/** Those that ended with their session. */
export async function listCancelledOfRemoved(db: Database, sessionKey: number): Promise<StoredRequest[]> {
  const rows = await db.all<RequestRow>({
    sql: "SELECT * FROM requests WHERE session_key = ? AND state = 'cancelled' AND forget_time_ms IS NOT NULL ORDER BY key",
    params: [sessionKey],
  });
  return rows.map(requestFromRow);
}

/** The earliest deadline of an open request. */
export async function findNextDeadline(db: Database): Promise<number | undefined> {
  const row = await db.get<{ deadline_ms: number | null }>({
    sql: "SELECT min(deadline_ms) AS deadline_ms FROM requests WHERE state = 'open' AND deadline_ms IS NOT NULL",
    params: [],
  });
  return row?.deadline_ms ?? undefined;
}

/** Some that are open after their deadline, the longest overdue first. */
export async function listDue(db: Database, nowMs: number, limit: number): Promise<string[]> {
  const rows = await db.all<{ id: string }>({
    sql: `SELECT id FROM requests WHERE state = 'open' AND deadline_ms IS NOT NULL AND deadline_ms <= ?
      ORDER BY deadline_ms LIMIT ?`,
    params: [nowMs, limit],
  });
  return rows.map(({ id }) => id);
}

/** Removes what need not be told of any more. */
export function forgetOldRequests(nowMs: number): Statement {
  return { sql: "DELETE FROM requests WHERE forget_time_ms <= ?", params: [nowMs] };
}
