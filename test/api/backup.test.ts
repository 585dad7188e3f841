import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, expect, test } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { systemClock } from "../../src/clock.ts";
import type { Manifest } from "../../src/backup/manifest.ts";
import { restoreBackup } from "../../src/backup/restore-backup.ts";
import { findDamage } from "../../src/store/integrity.ts";
import { createSession, refusalOf, runTurn, text, toRefusal } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;
afterEach(() => engine.dispose());

test("a backup is a folder of its own with the store, its blobs and what they are", async () => {
  engine = await startTestEngine();
  const { session } = await engine.sessions.createSession({ title: "Grüße 世界" });
  const before = Date.now();
  const { path, sizeBytes, createTime } = await engine.engine.createBackup({});
  expect(path).toMatch(/\/backups\/\d{8}T\d{6}Z-1$/);
  expect(path.startsWith(engine.dataDir)).toBe(true);
  expect(Number(createTime?.seconds) * 1000).toBeGreaterThanOrEqual(before - 1000);
  const manifest = JSON.parse(readFileSync(join(path, "manifest.json"), "utf8")) as Manifest;
  const { logEpoch, version } = await engine.engine.getInfo({});
  expect(manifest).toMatchObject({ format: 1, version, logEpoch, files: [{ path: "parley.db" }] });
  expect(Number(sizeBytes)).toBe(statSync(join(path, "parley.db")).size);
  expect(readdirSync(path).sort()).toEqual(["manifest.json", "parley.db"]);
  const modes = [".", ...readdirSync(path)].map((name) => statSync(join(path, name)).mode & 0o077);
  expect(modes).toEqual([0, 0, 0]);
  const db = new Sqlite(join(path, "parley.db"), { readonly: true });
  expect(findDamage(db)).toEqual([]);
  expect(db.prepare("SELECT id, title FROM sessions").all()).toEqual([{ id: session!.id, title: "Grüße 世界" }]);
  db.close();
  const next = await engine.engine.createBackup({});
  expect(next.path).not.toBe(path);
});

test("one backup at a time: another is refused meanwhile", async () => {
  engine = await startTestEngine();
  const both = [engine.engine.createBackup({}), engine.engine.createBackup({})].map((call) =>
    call.then(
      () => "made",
      (error: unknown) => toRefusal(error).reason,
    ),
  );
  expect(new Set(await Promise.all(both))).toEqual(new Set(["BACKUP_RUNNING", "made"]));
  await engine.engine.createBackup({});
});

test("only an admin makes one", async () => {
  engine = await startTestEngine();
  const { secret } = await engine.engine.createToken({ name: "operator", scope: 2 });
  const operator = createClient({ url: engine.url, token: secret });
  await expect(operator.engine.createBackup({})).rejects.toThrow(/permission_denied/);
  operator.close();
  expect(existsSync(join(engine.dataDir, "backups"))).toBe(false);
});

test("a turn that streams meanwhile is whole, in the log and in the copy up to its moment", async () => {
  engine = await startTestEngine();
  const { id: sessionId } = await createSession(engine);
  const seen: { seq: bigint; atMs: number }[] = [];
  const turn = await engine.messages.startTurn({ sessionId, parts: text("write 400 words at 2000 words a second") });
  const controller = new AbortController();
  const made: { path: string; acknowledged: bigint }[] = [];
  for await (const { payload } of engine.messages.watchSession({ sessionId }, { signal: controller.signal })) {
    if (payload.case !== "event") continue;
    seen.push({ seq: payload.value.seq, atMs: performance.now() });
    if (seen.length === 5) {
      const acknowledged = payload.value.seq;
      const { path } = await engine.engine.createBackup({});
      made.push({ path, acknowledged });
    }
    if (payload.value.payload.case === "turnEnded") break;
  }
  controller.abort();
  expect(turn.turn?.id).toBeDefined();
  const [backup] = made;
  const db = new Sqlite(join(backup!.path, "parley.db"), { readonly: true });
  const end = db
    .prepare<[], bigint>("SELECT max(seq) FROM (SELECT seq FROM events UNION ALL SELECT seq FROM deltas)")
    .pluck()
    .safeIntegers()
    .get();
  db.close();
  expect(end).toBeGreaterThanOrEqual(backup!.acknowledged);
});

test("a client from before a restore is told, and not fed; a new one finds everything", async () => {
  engine = await startTestEngine();
  const { id: sessionId } = await createSession(engine);
  await runTurn(engine, sessionId, "echo: before");
  const { logEpoch } = await engine.engine.getInfo({});
  const { path } = await engine.engine.createBackup({});
  await runTurn(engine, sessionId, "echo: after");
  const { session } = await engine.sessions.getSession({ sessionId });
  const afterSeq = session!.lastSeq;
  await engine.stop();
  const restored = await restoreBackup(path, engine.dataDir, systemClock);
  expect(existsSync(join(restored.aside, "parley.db"))).toBe(true);
  engine = await engine.restart();
  expect((await engine.engine.getInfo({})).logEpoch).toBe(restored.logEpoch);
  expect(restored.logEpoch).not.toBe(logEpoch);
  const watch = async (request: object): Promise<string | undefined> => {
    const stream = engine.messages.watchSession({ sessionId, ...request });
    const first = stream[Symbol.asyncIterator]().next();
    return (await refusalOf(first)).reason;
  };
  expect(await watch({ afterSeq: 1n, logEpoch })).toBe("LOG_CHANGED");
  expect(await watch({ afterSeq })).toBe("SEQ_AHEAD");
  const { messages } = await engine.sessions.listMessages({ sessionId });
  expect(JSON.stringify(messages.map(({ parts }) => parts.map(({ content }) => content.value)))).toContain("before");
  expect(JSON.stringify(messages.map(({ parts }) => parts.map(({ content }) => content.value)))).not.toContain("after");
});
