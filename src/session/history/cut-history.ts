import { auditEntry } from "../../audit/audit-entry.ts";
import { deleteChangesOfGoneCalls, listRevertsSince, moveRevert } from "../../change/change-store.ts";
import type { Clock } from "../../clock.ts";
import type { EventLog } from "../../event/event-log.ts";
import type { EventPayload } from "../../event/event.ts";
import type { SeqRange } from "../../event/seq-range.ts";
import { modelNameInForce, type Profiles } from "../../profile/profile.ts";
import { listOpenOfSession } from "../../request/request-store.ts";
import type { Database } from "../../store/database.ts";
import { deleteTodosFrom, hasTodosFrom, listTodos } from "../../todo/todo-store.ts";
import { claimQueue, listQueued } from "../../turn/queue/queue-store.ts";
import { queueJoined } from "../../turn/queue/queue-events.ts";
import { deleteHistoryFrom, findIdBefore, findTurnEndBefore, listEditedSince, setUpdatedSeq } from "./history-store.ts";
import type { RemovedSessions } from "../removed-sessions.ts";
import { getSession, type StoredSession } from "../session-store.ts";
import type { IdleSession } from "../while-idle.ts";

export interface CutHistoryDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly profiles: Profiles;
  readonly removed: RemovedSessions;
}

/** Where a history ends from now on. */
export interface HistoryCut {
  /** The first number that goes; 1 = all of the log. */
  readonly fromSeq: number;
  /** The first message that goes; empty = all. */
  readonly firstMessageId: string;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Removes messages, turns and calls, and takes what told of them out of the log, at once; the rows of events go in the
 * background. What a reader misses who was inside what is taken out is told again. Throws `ClaimLost` as `whileIdle` wants.
 */
export async function cutHistory(
  deps: CutHistoryDeps,
  { session, updateTimeMs, claim }: IdleSession,
  { fromSeq, firstMessageId, actor }: HistoryCut,
): Promise<StoredSession> {
  const { db, log } = deps;
  const { id, key } = session;
  const lastMessageId = await findIdBefore(db, key, fromSeq);
  const endSeq = await findTurnEndBefore(db, key, fromSeq);
  const edited = await listEditedSince(db, key, fromSeq);
  const steers = await listQueued(db, key, "steer");
  const followUps = await listQueued(db, key, "follow_up");
  const requests = await listOpenOfSession(db, key);
  const reverts = await listRevertsSince(db, key, fromSeq);
  const todos = await listTodos(db, key, fromSeq - 1);
  const hasOtherTodos = todos.length > 0 || (await hasTodosFrom(db, key, fromSeq));
  const model = modelNameInForce(deps.profiles, session);
  const queued = [...steers, ...followUps];
  const before: EventPayload[] = [
    { kind: "history_cleared", firstMessageId, lastMessageId },
    ...(queued.length > 0 ? [queueJoined(...queued)] : []),
    ...requests.map((request): EventPayload => ({ kind: "request_opened", request })),
    ...(hasOtherTodos ? [{ kind: "todo_changed", items: todos } as const] : []),
    ...reverts.map(({ turnId, paths }): EventPayload => ({ kind: "files_reverted", turnId, paths })),
    ...edited.map((message): EventPayload => ({ kind: "message_updated", message })),
  ];
  await log.append(id, {
    actor,
    essential: true,
    events: (firstSeq) => [
      ...before,
      { kind: "session_changed", session: { ...session, model, updateTimeMs, lastSeq: firstSeq + before.length } },
    ],
    removed: (firstSeq) => rangesOf(fromSeq, firstSeq - 1, endSeq),
    changes: (firstSeq, timeMs) => [
      auditEntry({ action: "HISTORY_CUT", timeMs, actor, sessionId: id, target: firstMessageId }),
      ...claim,
      claimQueue(key, steers.length, followUps.length),
      ...deleteHistoryFrom(key, fromSeq),
      deleteTodosFrom(key, fromSeq),
      deleteChangesOfGoneCalls(key),
      ...reverts.map(({ seq }, i) =>
        moveRevert(key, seq, firstSeq + before.length - edited.length - reverts.length + i),
      ),
      ...edited.map((message, i) => setUpdatedSeq(message.id, firstSeq + before.length - edited.length + i)),
    ],
  });
  deps.removed.sweep();
  return getSession(db, id);
}

/** All numbers of a run but one, where that lies in it: a turn that stays in part keeps its end. */
function rangesOf(from: number, to: number, kept: number | undefined): readonly SeqRange[] {
  if (kept === undefined || kept < from) return [{ from, to }];
  return [
    { from, to: kept - 1 },
    { from: kept + 1, to },
  ].filter((range) => range.from <= range.to);
}
