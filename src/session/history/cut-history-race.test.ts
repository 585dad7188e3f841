import { inspect } from "node:util";
import { expect, test } from "vitest";
import { says } from "../../../test/helpers/scripted-model.ts";
import { setUp } from "../../../test/helpers/turn-engine.ts";
import { DomainError } from "../../errors.ts";
import type { EventPayload } from "../../event/event.ts";
import { appendMessage } from "../../message/append-message.ts";
import type { Message } from "../../message/message.ts";
import { updateMessage } from "../../message/update-message.ts";
import type { Database, Statement, Transaction } from "../../store/database.ts";
import { openSqlite } from "../../store/sqlite.ts";
import { clearHistory } from "./clear-history.ts";
import type { CutHistoryDeps } from "./cut-history.ts";
import { createRemovedSessions } from "../removed-sessions.ts";
import { rewindSession } from "./rewind-session.ts";

const ROUNDS = 60;
const AT_ONCE = 6;

/** What a reader of the log from its beginning has. */
function tell(events: readonly EventPayload[]): string[] {
  const messages = new Map<string, Message>();
  for (const event of events) {
    if (event.kind === "message_completed") messages.set(event.message.id, event.message);
    if (event.kind === "message_updated" && messages.has(event.message.id)) {
      messages.set(event.message.id, event.message);
    }
    if (event.kind !== "history_cleared") continue;
    const ids = [...messages.keys()];
    const known = ids.indexOf(event.firstMessageId);
    for (const id of ids.slice(known >= 0 ? known : ids.indexOf(event.lastMessageId) + 1)) messages.delete(id);
  }
  return [...messages.values()].map(show);
}

function show({ id, parts }: Pick<Message, "id" | "parts">): string {
  return `${id} ${parts.map((part) => ("text" in part ? part.text : "")).join("")}`;
}

type Engine = Awaited<ReturnType<typeof setUp>>;

/** A store that leaves out some statements. */
function storeWithout(isLeftOut: (statement: Statement) => boolean): Database {
  const db = openSqlite(":memory:");
  const kept = (transaction: Transaction): Transaction => ({
    ...transaction,
    statements: transaction.statements.filter((statement) => !isLeftOut(statement)),
  });
  return { ...db, enqueue: (transaction) => db.enqueue(kept(transaction)) };
}

/** What callers do, and may be refused. */
function deedsOn(engine: Engine, deps: CutHistoryDeps): (() => Promise<unknown>)[] {
  const { id: sessionId } = engine;
  const actor = "me";
  let words = 0;
  const parts = () => [{ kind: "text", text: `words ${++words}` } as const];
  const append = (role: "user" | "assistant") =>
    appendMessage(engine, { sessionId, idempotencyKey: "", role, parts: parts(), actor });
  const some = async (): Promise<string> => {
    const all = await engine.conversation();
    return all[Math.floor(Math.random() * all.length)]?.id ?? "msg_none";
  };
  const update = async () => updateMessage(engine, { sessionId, messageId: await some(), parts: parts(), actor });
  return [
    async () => engine.ended(await engine.start(`question ${++words}`)),
    async () => engine.ended(await engine.retry()),
    () => append("user"),
    () => append("assistant"),
    update,
    update,
    async () => rewindSession(deps, { sessionId, messageId: await some(), actor }),
    async () => (Math.random() < 0.1 ? clearHistory(deps, { sessionId, actor }) : undefined),
  ];
}

/** How the log differs from what is stored; undefined where it does not. */
async function difference(engine: Engine): Promise<string | undefined> {
  const events = await engine.events();
  const [told, stored] = [tell(events).join("\n"), (await engine.conversation()).map(show).join("\n")];
  if (told !== stored) return `the log tells ${told} where ${stored} is stored`;
  const started = events.flatMap((event) => (event.kind === "turn_started" ? [event.turn.id] : []));
  const ended = events.filter(({ kind }) => kind === "turn_ended").length;
  if (ended !== started.length) return `${started.length} turns began and ${ended} ended`;
  const lastTurnId = (await engine.session())?.lastTurnId;
  return lastTurnId === (started.at(-1) ?? "") ? undefined : `the last turn is ${lastTurnId}`;
}

/** Throws all kinds of calls at a session at once. Answers the first difference, and how often callers were told what. */
async function throwAll(db: Database) {
  const answers = Array.from({ length: ROUNDS * AT_ONCE }, (_, i) => says(`answer ${i}`));
  const engine = await setUp(answers, {}, db);
  const removed = createRemovedSessions(db, (_what, error) => void engine.bugs.push(error));
  const deeds = deedsOn(engine, { ...engine, removed });
  const told = new Map<string, number>();
  let found: string | undefined;
  for (let round = 0; round < ROUNDS && found === undefined; round++) {
    const thrown = Array.from({ length: AT_ONCE }, () => deeds[Math.floor(Math.random() * deeds.length)]!());
    for (const outcome of await Promise.allSettled(thrown)) {
      const error: unknown = outcome.status === "rejected" ? outcome.reason : undefined;
      const name = error === undefined ? "done" : error instanceof DomainError ? error.reason : inspect(error);
      told.set(name, (told.get(name) ?? 0) + 1);
    }
    found = await difference(engine);
  }
  await removed.close();
  return { found, told, engine };
}

test("turns, edits and cuts thrown at a session at once leave a log that tells what is stored", async () => {
  const { found, told, engine } = await throwAll(openSqlite(":memory:"));
  expect(found).toBeUndefined();
  const known = ["done", "SESSION_BUSY", "NOTHING_TO_RETRY", "MESSAGE_NOT_FOUND", "TURN_NOT_FOUND"];
  expect([...told.keys()].filter((name) => !known.includes(name))).toEqual([]);
  expect(told.get("done")).toBeGreaterThan(ROUNDS);
  expect(engine.bugs).toEqual([]);
  expect(await difference(await engine.restart())).toBeUndefined();
});

function claimsIdle({ claim, sql }: Statement): boolean {
  return claim === "idle" && sql.includes("AND update_time_ms = ?");
}

test("control: without the claim that nothing has changed, some of them meet", async () => {
  let found: string | undefined;
  for (let tries = 0; tries < 5 && found === undefined; tries++)
    found = (await throwAll(storeWithout(claimsIdle))).found;
  expect(found).toBeDefined();
});
