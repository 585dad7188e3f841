import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import type { Children, EngineServer } from "../children.ts";
import { count, ms, verdict, type Row } from "../row.ts";
import { inTurn, median } from "../sample.ts";
import { idOf, largeStore } from "../store.ts";
import type { Figure } from "./figure.ts";

const MESSAGES = 10_000;
const MAX_FORK_MS = 200;
const MIN_EXPORT_MB_PER_S = 50;

/** A fork of a long session beside the same rows copied by the store alone; an export of all beside a plain read of its bytes. */
export const transfer: Figure = async (children) => {
  const store = largeStore();
  // A store each: what forks leave to be indexed and removed would go on beside the export.
  const copyOfStore = (): string => {
    const dataDir = children.newDataDir();
    cpSync(store.database, join(dataDir, "parley.db"));
    return dataDir;
  };
  const rows = [await fork(children, copyOfStore(), store.long), await exported(children, copyOfStore())];
  await children.stopAll();
  return rows;
};

/** An engine that used less than this of a second has nothing left to do in the background. */
const IDLE_CPU_SECONDS = 0.03;

/** Waits until an engine is done with what the work before left it to do. */
async function untilIdle(engine: EngineServer): Promise<void> {
  for (let before = Infinity; ;) {
    const now = engine.state()?.cpuSeconds ?? 0;
    if (now - before < IDLE_CPU_SECONDS && before !== Infinity) return;
    before = now;
    await setTimeout(1000);
  }
}

async function fork(
  children: Children,
  dataDir: string,
  long: { readonly sessionId: string; readonly sessionKey: number },
): Promise<Row> {
  const engine = await children.engine({ dataDir });
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  // Messages have numbers from 2 on in the store.
  const place = { sessionId: long.sessionId, beforeMessageId: idOf("msg", MESSAGES + 2) };
  let messages = 0;
  const forkMs: number[] = [];
  for (let round = 0; round < 8; round++) {
    const made = await load.run("forks", { target, ...place, rounds: 1 });
    messages = made.messages;
    forkMs.push(...made.ms);
    await untilIdle(engine);
  }
  await load.stop();
  await engine.stop();
  // The first ones warm up.
  const own = median(forkMs.slice(3));
  const beside = median(Array.from({ length: 5 }, () => copyRows(join(dataDir, "parley.db"), long.sessionKey)));
  return {
    figure: `fork of a session of ${count(messages)} messages`,
    measured: ms(own),
    beside: `${ms(beside)} plain SQL`,
    compared: `× ${(own / beside).toFixed(1)}`,
    target: `${MAX_FORK_MS} ms`,
    verdict: verdict(own <= MAX_FORK_MS && messages === MESSAGES),
    note: "plain SQL copies the rows of messages and as many of events in one transaction, in which nobody else is served",
    values: { engine_ms: own, plain_ms: beside },
  };
}

/** Copies the rows in the store and takes them away again; only the copying counts. */
function copyRows(database: string, sessionKey: number): number {
  const db = new Sqlite(database);
  db.pragma("synchronous = FULL");
  const copy = db.transaction(() => {
    db.prepare(
      `INSERT INTO messages (id, session_key, session_id, turn_id, seq, role, status, parts, model, usage, create_time_ms)
      SELECT 'copy_' || id, -1, 'copy', turn_id, seq, role, status, parts, model, usage, create_time_ms
      FROM messages WHERE session_key = ? ORDER BY seq LIMIT ?`,
    ).run(sessionKey, MESSAGES);
    db.prepare(
      `INSERT INTO events (session_key, seq, create_time_ms, turn_id, actor, payload)
      SELECT -1, seq, create_time_ms, turn_id, actor, payload FROM events WHERE session_key = ? ORDER BY seq LIMIT ?`,
    ).run(sessionKey, MESSAGES);
  });
  const startMs = performance.now();
  copy();
  const tookMs = performance.now() - startMs;
  db.exec("DELETE FROM messages WHERE session_key = -1; DELETE FROM events WHERE session_key = -1");
  db.close();
  return tookMs;
}

async function exported(children: Children, dataDir: string): Promise<Row> {
  const engine = await children.engine({ dataDir });
  const load = children.load();
  const target = { url: engine.url, token: engine.token };
  let bytes = 0;
  let isWhole = true;
  const speedOf = (tookMs: number): number => bytes / 1e3 / tookMs;
  const runs = await inTurn(3, {
    engine: async () => {
      const made = await load.run("exportAll", { target });
      bytes = made.bytes;
      isWhole &&= made.isWhole;
      return made.ms;
    },
    plain: async () => readRows(join(dataDir, "parley.db")),
  });
  const [own, plain] = [speedOf(median(runs.engine)), speedOf(median(runs.plain))];
  return {
    figure: `export of ${(bytes / 1e6).toFixed(0)} MB`,
    measured: `${count(own)} MB/s`,
    beside: `${count(plain)} MB/s plain SQL`,
    compared: `× ${(own / plain).toFixed(2)}`,
    target: `${MIN_EXPORT_MB_PER_S} MB/s`,
    verdict: verdict(isWhole && own >= MIN_EXPORT_MB_PER_S),
    note: "over gRPC, to its last byte; plain SQL reads the same columns in the same order and does nothing with them",
    values: { engine_mb_per_s: own, plain_mb_per_s: plain },
  };
}

function readRows(database: string): number {
  const db = new Sqlite(database, { readonly: true });
  const startMs = performance.now();
  const rows = db.prepare(
    `SELECT id, turn_id, seq, role, status, parts, model, usage, create_time_ms FROM messages ORDER BY session_key, seq`,
  );
  for (const _row of rows.iterate());
  const tookMs = performance.now() - startMs;
  db.close();
  return tookMs;
}
