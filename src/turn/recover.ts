import { deleteDeltas, selectDeltas, type DeltaRow } from "../event/delta-table.ts";
import type { EventPayload } from "../event/event.ts";
import type { Part } from "../message/message.ts";
import { completeMessage, findLastOfTurn } from "../message/message-store.ts";
import { findSession, type StoredSession } from "../session/session-store.ts";
import { MAX_LEVELS } from "../session/waiting-on.ts";
import type { Database, Statement } from "../store/database.ts";
import { joinFacts, NO_FACTS } from "../event/facts.ts";
import { auditOfEnd } from "./call/call-audit.ts";
import { hasAskedOthers } from "./others.ts";
import { UNKNOWN_RESULT, withPrinted } from "./call/call-results.ts";
import { endTurn } from "./end-turn.ts";
import type { TurnEnd } from "./turn.ts";
import { listCalls } from "./call/tool-call-store.ts";
import { toolCallEnded } from "./call/call-end.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnRunner } from "./turn-runner.ts";
import {
  cancelAgentsOfCancelled,
  listBusyTurns,
  listTurnsWithAgents,
  setRecovered,
  type StoredTurn,
} from "./turn-store.ts";

/** A turn that has been gone on with so often has something in it that kills engines. */
const MAX_RECOVERIES = 3;

/**
 * Brings every turn that a dead engine left open to where it can be used: the partial answer is completed from what was
 * stored of it, calls that had started are UNKNOWN, and the turn ends INTERRUPTED, or goes on where its session wants that, or
 * a human was asked: what waits for one, waits on, and what one let run, runs. Turns that rested are as they were. Runs before
 * anything else writes. Returns how many turns it found.
 */
export async function recoverTurns(deps: TurnDeps, runner: TurnRunner): Promise<number> {
  const rows = await deps.db.all<DeltaRow>(selectDeltas());
  await keepNumbers(deps.db, rows);
  const said = { partsByMessage: collectParts(rows), printed: collectPrinted(rows) };
  // What a cancel had not reached yet when the engine died, level by level.
  for (let level = 1; level < MAX_LEVELS; level++) await deps.db.transact([cancelAgentsOfCancelled()]);
  const turns = await listBusyTurns(deps.db);
  const goingOn: StoredTurn[] = [];
  for (const turn of turns) {
    const session = await findSession(deps.db, turn.sessionId);
    if (session === undefined) continue;
    if (await recoverTurn(deps, session, turn, said)) goingOn.push(turn);
  }
  if (rows.length > 0) await deps.db.transact([deleteDeltas()]);
  goingOn.push(...(await listTurnsWithAgents(deps.db)));
  // Only now: what a turn that goes on says would have the numbers of those rows, and would be deleted with them.
  for (const turn of goingOn) runner.run(turn);
  return turns.length;
}

/** Numbers that were shown are never given out again, even if no event came after them. */
async function keepNumbers(db: Database, rows: readonly DeltaRow[]): Promise<void> {
  const lastSeq = new Map<number, number>();
  for (const row of rows) lastSeq.set(row.session_key, Math.max(row.seq, lastSeq.get(row.session_key) ?? 0));
  const statements = [...lastSeq].map(([key, seq]): Statement => ({
    sql: "UPDATE sessions SET last_seq = max(last_seq, ?) WHERE key = ?",
    params: [seq, key],
  }));
  if (statements.length > 0) await db.transact(statements);
}

function collectParts(rows: readonly DeltaRow[]): Map<string, Part[]> {
  const byMessage = new Map<string, Part[]>();
  for (const { target, kind, text } of rows) {
    if (kind === "output") continue;
    const parts = byMessage.get(target) ?? [];
    byMessage.set(target, parts);
    const last = parts.at(-1);
    if (last?.kind === kind) parts[parts.length - 1] = { kind, text: last.text + text };
    else parts.push({ kind, text });
  }
  return byMessage;
}

/** What calls had printed, both of their streams as it came. */
function collectPrinted(rows: readonly DeltaRow[]): (callId: string) => string {
  const pieces = new Map<string, string[]>();
  for (const { target, kind, text } of rows) {
    if (kind === "output") pieces.set(target, [...(pieces.get(target) ?? []), text]);
  }
  return (callId) => pieces.get(callId)?.join("") ?? "";
}

/** What had been said and printed when the engine died. */
interface SaidByThen {
  readonly partsByMessage: ReadonlyMap<string, readonly Part[]>;
  readonly printed: (callId: string) => string;
}

/** True: the turn goes on. */
async function recoverTurn(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  { partsByMessage, printed }: SaidByThen,
): Promise<boolean> {
  const partial = await closePartial(deps, session, turn, partsByMessage);
  const calls = await listCalls(deps.db, turn.id);
  const hasAsked = turn.state !== "cancelling" && hasAskedOthers(turn, calls);
  const end = hasAsked ? undefined : endOfRecovered(session, turn);
  if (end !== undefined) {
    await endTurn(deps, session, turn.id, { end, closing: partial, wasKilled: true, printed });
    return false;
  }
  const started = calls.filter((call) => call.state === "started");
  const unknown = started.map((call) =>
    joinFacts(
      toolCallEnded(deps, session, turn.id, call.id, withPrinted(UNKNOWN_RESULT, printed(call.id))),
      auditOfEnd({ sessionId: session.id, turnId: turn.id }, call, UNKNOWN_RESULT.outcome),
    ),
  );
  const counted = { ...NO_FACTS, changes: () => [setRecovered(turn.id, turn.recoveries + 1)] };
  const facts = joinFacts(partial, ...unknown, ...(hasAsked ? [] : [counted]));
  if (facts.events.length > 0 || !hasAsked) await deps.log.append(session.id, { turnId: turn.id, ...facts });
  return true;
}

/** The answer that was being made, completed with the text that had been stored of it. */
async function closePartial(
  deps: TurnDeps,
  session: StoredSession,
  turn: StoredTurn,
  partsByMessage: ReadonlyMap<string, readonly Part[]>,
): Promise<{ events: readonly EventPayload[]; changes(): readonly Statement[] }> {
  const last = await findLastOfTurn(deps.db, session.key, turn.id);
  if (last?.status !== "streaming") return { events: [], changes: () => [] };
  const message = { ...last, status: "interrupted", parts: partsByMessage.get(last.id) ?? [] } as const;
  return { events: [{ kind: "message_completed", message }], changes: () => [completeMessage(message)] };
}

/** Undefined: the turn goes on by itself. */
function endOfRecovered(session: StoredSession, turn: StoredTurn): TurnEnd | undefined {
  if (turn.state === "cancelling") return { reason: "cancelled" };
  if (!session.resumeAfterRestart) {
    const message = "the engine was stopped while the turn ran; retry to go on";
    return { reason: "interrupted", error: { reason: "ENGINE_STOPPED", message, retryable: true } };
  }
  if (turn.recoveries < MAX_RECOVERIES) return undefined;
  const message = `the engine was stopped ${turn.recoveries + 1} times while the turn ran; retry to go on`;
  return { reason: "failed", error: { reason: "RECOVERY_LIMIT", message, retryable: true } };
}
