import { expect, test } from "vitest";
import { DomainError } from "../errors.ts";
import { setUp } from "../../test/helpers/turn-engine.ts";
import { batchDelete } from "./batch-delete.ts";
import { createSession } from "./create-session.ts";
import { createRemovedSessions } from "./removed-sessions.ts";
import { getSession, insertSession } from "./session-store.ts";

test("each of many goes or is told with why, in the order asked, however many wait", async () => {
  const engine = await setUp([]);
  const settings = await getSession(engine.db, engine.id);
  const ids: string[] = [];
  for (let i = 0; i < 200; i++) ids.push((await createSession(engine, { idempotencyKey: "", settings })).id);
  // Their turns do not stop by themselves.
  for (const id of ids.slice(0, 100)) {
    await engine.db.transact([{ sql: "UPDATE sessions SET running_turn_id = 'turn_x' WHERE id = ?", params: [id] }]);
  }
  let waiting = 0;
  let most = 0;
  const removed = createRemovedSessions(engine.db, engine.onBug);
  const stopTurn = async (sessionId: string): Promise<void> => {
    most = Math.max(most, ++waiting);
    await new Promise((resolve) => setImmediate(resolve));
    waiting--;
    if (sessionId === ids[1]) throw new DomainError("unavailable", "STORAGE_FAILED", "the disk");
    if (sessionId === ids[2]) throw new TypeError("a bug");
  };
  const bugs: unknown[] = [];
  const deps = {
    ...engine,
    removed,
    stopTurn,
    endProcesses: async () => {},
    titles: { drop: () => {} },
    bells: { ring: () => {} },
    onBug: (...bug: unknown[]) => void bugs.push(bug),
  };
  const asked = [...ids, "ses_none"];
  const { deletedIds, failures } = await batchDelete(deps, asked, "");
  expect(deletedIds).toEqual(asked.filter((id) => ![ids[1], ids[2], "ses_none"].includes(id)));
  expect(failures).toMatchObject([
    { sessionId: ids[1], reason: "STORAGE_FAILED", message: "the disk" },
    { sessionId: ids[2], reason: "INTERNAL" },
    { sessionId: "ses_none", reason: "SESSION_NOT_FOUND" },
  ]);
  expect(failures[1]?.message).not.toContain("a bug");
  expect(bugs).toHaveLength(1);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(64);
  await removed.close();
});

test("a session that goes with the one that started it is told gone, in whichever order they are named", async () => {
  const engine = await setUp([]);
  const settings = await getSession(engine.db, engine.id);
  const removed = createRemovedSessions(engine.db, engine.onBug);
  const deps = {
    ...engine,
    removed,
    stopTurn: async () => {},
    endProcesses: async () => {},
    titles: { drop: () => {} },
    bells: { ring: () => {} },
  };
  for (const isParentFirst of [true, false]) {
    const { id: above } = await createSession(engine, { idempotencyKey: "", settings });
    const children = ["a", "b"].map((name) => `ses_${name}${isParentFirst}`);
    for (const id of children) {
      const parent = { sessionId: above, turnId: "turn_x", callId: `call_${id}`, rootSessionId: above };
      await engine.db.transact(insertSession(id, settings, 1, { parent }));
    }
    const asked = isParentFirst ? [above, ...children] : [...children, above];
    expect(await batchDelete(deps, asked, "")).toEqual({ deletedIds: asked, failures: [] });
    const again = await batchDelete(deps, asked, "");
    expect(again).toMatchObject({ deletedIds: [], failures: asked.map((sessionId) => ({ sessionId })) });
  }
  await removed.close();
});
