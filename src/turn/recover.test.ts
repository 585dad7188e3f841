import { GIVEN_WORKSPACES } from "../../test/helpers/given-workspaces.ts";
import { expect, test } from "vitest";
import { createGate } from "../../test/helpers/gate.ts";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { NO_SOURCES } from "../../test/helpers/no-sources.ts";
import { NO_TITLES } from "../../test/helpers/no-titles.ts";
import { hangsAfter, scriptModel } from "../../test/helpers/scripted-model.ts";
import { createEventLog } from "../event/event-log.ts";
import { newId } from "../id.ts";
import { createIdempotency } from "../idempotency/idempotency.ts";
import { listConversation } from "../message/message-store.ts";
import { createProfiles } from "../profile/profile.ts";
import { createSession } from "../session/create-session.ts";
import { getSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { recoverTurns } from "./recover.ts";
import { startTurn } from "./start-turn.ts";
import { createTurnRunner } from "./turn-runner.ts";
import { DEFAULT_LIMITS } from "./turn.ts";

const PROFILE = { name: "p", provider: "demo", model: "m", baseUrl: "", apiKey: undefined, description: "" } as const;

/** One life of an engine, whose model says one word of each answer and then nothing. */
function live(db: Database, word: string) {
  const clock = createFakeClock();
  const log = createEventLog(db, (payload) => Buffer.from(JSON.stringify(payload)), clock);
  const { models } = scriptModel(
    ...Array.from({ length: 100 }, () => (_: unknown, signal: AbortSignal) => hangsAfter(word, signal)),
  );
  const bugs: unknown[] = [];
  const onBug = (_what: string, error: unknown): void => void bugs.push(error);
  const idempotency = createIdempotency(db, clock);
  const profiles = createProfiles([PROFILE], "p");
  const parts = { models, titles: NO_TITLES, tools: [], ...NO_SOURCES, ...createGate() };
  const base = { db, log, clock, newId, profiles, ...parts, random: () => 0, onBug, idempotency };
  const deps = { ...base, runner: createTurnRunner(base), checkRunning: () => {} };
  return { ...deps, bugs };
}

async function startSession(engine: ReturnType<typeof live>, resumeAfterRestart: boolean): Promise<string> {
  const more = { starred: false, resumeAfterRestart, retryPartial: false, approvalMode: "default" as const };
  const settings = {
    title: "",
    profile: "",
    model: "",
    systemPrompt: "",
    workspace: "",
    labels: {},
    limits: DEFAULT_LIMITS,
    ...more,
  };
  const { id } = await createSession({ ...engine, workspaces: GIVEN_WORKSPACES }, { idempotencyKey: "", settings });
  const parts = [{ kind: "text", text: "hello" }] as const;
  await startTurn(engine, { sessionId: id, idempotencyKey: "", model: "", expectedTurnId: "", actor: "", parts });
  return id;
}

/** Waits until an open answer of each session is stored. */
async function untilSaid(db: Database, count: number): Promise<void> {
  for (;;) {
    const row = await db.get<{ n: number }>({ sql: "SELECT count(DISTINCT target) AS n FROM deltas", params: [] });
    if (row?.n === count) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("what a turn that goes on says is kept apart from what the dead engine left", async () => {
  const db = openSqlite(":memory:");
  const first = live(db, "first");
  const resumed = await startSession(first, true);
  for (let i = 0; i < 20; i++) await startSession(first, false);
  await untilSaid(db, 21);

  const second = live(db, "second");
  await recoverTurns(second, second.runner);
  await untilSaid(db, 1);
  const third = live(db, "third");
  await recoverTurns(third, third.runner);

  const { key } = await getSession(db, resumed);
  const said = (await listConversation(db, key)).filter(
    ({ role, status }) => role === "assistant" && status !== "streaming",
  );
  expect(said.map(({ status, parts }) => [status, parts])).toEqual([
    ["interrupted", [{ kind: "text", text: "first" }]],
    ["interrupted", [{ kind: "text", text: "second" }]],
  ]);
  expect([...first.bugs, ...second.bugs, ...third.bugs]).toEqual([]);
});
