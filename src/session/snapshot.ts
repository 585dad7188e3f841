import type { OutputKind } from "../event/event.ts";
import type { EventLog } from "../event/event-log.ts";
import type { LogMoment } from "../event/session-log.ts";
import { sessionNotFound } from "../event/session-logs.ts";
import {
  messageFromRow,
  selectNewestMessages,
  selectStreaming,
  type MessageRow,
  type StoredMessage,
} from "../message/message-store.ts";
import {
  requestFromRow,
  selectOpenOfSession,
  sizeOfRow,
  type RequestRow,
  type StoredRequest,
} from "../request/request-store.ts";
import type { Database, Query, Row } from "../store/database.ts";
import { selectTodos, todosFromRow, type TodoRow } from "../todo/todo-store.ts";
import type { TodoItem } from "../todo/todo.ts";
import { queuedFromRow, selectQueue, type QueuedRow, type StoredQueued } from "../turn/queue/queue-store.ts";
import { callFromRow, selectOpenCalls, type CallRow, type ToolCall } from "../turn/call/tool-call-store.ts";
import { selectRunningTurn, turnFromRow, type StoredTurn, type TurnRow } from "../turn/turn-store.ts";
import { getSession, selectSession, sessionFromRow, type SessionRow, type StoredSession } from "./session-store.ts";

/** All parts of a snapshot together, so that its answer is below what every client can take. Source: api.md, "Services". */
const MAX_BYTES = 3_000_000;
/** Of which open requests may take so much, and the one by which they exceed it. */
const MAX_REQUEST_BYTES = 700_000;

/** Of what one stream of a call has printed, and of what all have; characters. */
const MAX_OUTPUT_CHARS = 64 * 1024;
const MAX_OUTPUTS_CHARS = 256 * 1024;

/** A message that is being made, as far as it is. */
export interface PartialMessage {
  readonly message: StoredMessage;
  readonly text: string;
  readonly reasoning: string;
}

/** A call that has no result, with the end of what it has printed. */
export interface OpenCall extends ToolCall {
  readonly stdout: string;
  readonly stderr: string;
}

/** A session at one moment. */
export interface Snapshot {
  readonly session: StoredSession;
  /** The newest whole messages, the oldest first. */
  readonly messages: readonly StoredMessage[];
  /** Whether there are older ones. */
  readonly hasOlder: boolean;
  readonly partial: PartialMessage | undefined;
  readonly runningTurn: StoredTurn | undefined;
  /** Calls of the running turn that have no result. */
  readonly openCalls: readonly OpenCall[];
  readonly queue: readonly StoredQueued[];
  /** Open ones, the oldest first; fewer where they are large. */
  readonly requests: readonly StoredRequest[];
  /** What its agent means to do. */
  readonly todos: readonly TodoItem[];
  /** The end of the log, deltas included. */
  readonly lastSeq: number;
}

/**
 * Reads a session with the end of its log: who reads the log from there on misses nothing and sees nothing twice. It costs
 * what it shows, however long the session is. Throws DomainError `SESSION_NOT_FOUND`.
 */
export async function takeSnapshot(
  { db, log }: { readonly db: Database; readonly log: EventLog },
  { sessionId, maxMessages }: { readonly sessionId: string; readonly maxMessages: number },
): Promise<Snapshot> {
  // A session's key never changes; all that does is read in one moment.
  const { key } = await getSession(db, sessionId);
  let bytes = 0;
  const newest: Query = {
    ...selectNewestMessages(key, maxMessages + 1),
    // The one that is too much is read, too: it tells that there are older ones.
    stop(row) {
      const before = bytes;
      bytes += Buffer.byteLength(String(row["parts"]));
      return before > 0 && bytes > MAX_BYTES;
    },
  };
  const queries = [
    selectSession(sessionId),
    newest,
    selectStreaming(key),
    selectRunningTurn(key),
    selectOpenCalls(key),
    selectQueue(key),
    selectOpenOfSession(key, MAX_REQUEST_BYTES),
    selectTodos(key),
  ];
  return db.read(queries, (rows) => snapshotOf(rows, maxMessages, sessionId, log));
}

function snapshotOf(rows: readonly Row[][], maxMessages: number, sessionId: string, log: EventLog): Snapshot {
  const [[sessionRow] = [], newest = [], [streaming] = [], [turn] = [], calls = [], queue = [], ...others] = rows;
  const [requests = [], [todos] = []] = others;
  if (sessionRow === undefined) throw sessionNotFound(sessionId);
  const session = sessionFromRow(sessionRow as SessionRow);
  const open = streaming === undefined ? undefined : messageFromRow(streaming as MessageRow);
  const moment = log.look(sessionId);
  const around = {
    session,
    partial: open && partialOf(open, moment),
    runningTurn: turn === undefined ? undefined : turnFromRow(turn as TurnRow),
    openCalls: calls.map((row) => openCallOf(callFromRow(row as CallRow), calls.length, moment)),
    queue: queue.map((row) => queuedFromRow(row as QueuedRow)),
    requests: requests.map((row) => requestFromRow(row as RequestRow)),
    todos: todosFromRow(todos as TodoRow | undefined),
    // What is not in memory has no deltas.
    lastSeq: moment?.lastSeq ?? session.lastSeq,
  };
  const rest = MAX_BYTES - sizeOfRest(around) - requests.reduce((sum, row) => sum + sizeOfRow(row), 0);
  const messages = newestThatFit(newest as MessageRow[], maxMessages, rest).map(messageFromRow);
  return { ...around, messages: messages.toReversed(), hasOlder: messages.length < newest.length };
}

function partialOf(message: StoredMessage, moment: LogMoment | undefined): PartialMessage {
  return {
    message,
    text: moment?.said(message.id, "text") ?? "",
    reasoning: moment?.said(message.id, "reasoning") ?? "",
  };
}

function openCallOf(call: ToolCall, among: number, moment: LogMoment | undefined): OpenCall {
  const max = Math.min(MAX_OUTPUT_CHARS, Math.floor(MAX_OUTPUTS_CHARS / (2 * among)));
  const end = (kind: OutputKind): string =>
    (moment?.said(call.id, kind) ?? "").slice(-max).replace(/^[\uDC00-\uDFFF]/, "");
  return { ...call, stdout: end("stdout"), stderr: end("stderr") };
}

/** As many as there is room for; at least one. */
function newestThatFit(rows: readonly MessageRow[], max: number, maxBytes: number): MessageRow[] {
  let bytes = 0;
  const fitting = rows.slice(0, max);
  const tooMany = fitting.findIndex((row, i) => (bytes += Buffer.byteLength(row.parts)) > maxBytes && i > 0);
  return tooMany === -1 ? fitting : fitting.slice(0, tooMany);
}

/** What may be large of all that is not a message. */
function sizeOfRest({
  session,
  partial,
  openCalls,
  todos,
}: Pick<Snapshot, "session" | "partial" | "openCalls" | "todos">): number {
  const texts = [
    session.systemPrompt,
    JSON.stringify(session.labels),
    partial?.text ?? "",
    partial?.reasoning ?? "",
    ...todos.map(({ text }) => text),
    ...openCalls.flatMap((call) => [JSON.stringify(call.arguments), call.stdout, call.stderr]),
  ];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
