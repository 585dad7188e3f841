import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { restoreBackup } from "../../src/backup/restore-backup.ts";
import { readEvent } from "../../src/cli/doctor.ts";
import { type Client, createClient, reasonOf } from "../../src/client/client.ts";
import { systemClock } from "../../src/clock.ts";
import { examine } from "../../src/doctor/examine.ts";
import { findDamage } from "../../src/store/integrity.ts";
import { makeTempDir, startEngineProcess, type EngineProcess } from "../helpers/engine-process.ts";
import { diskEnv, hasCompiler } from "./disk-shim.ts";
import { control, cost, type Figure, figure, none } from "./figure.ts";

/** Sessions that talk without a pause while backups are made. */
const TALKERS = 20;
const ASKED = "write 400 words at 100 words a second";

/** Rows of a store that takes a while to be copied. */
const FILLER_SESSIONS = 300;
const FILLER_BYTES = 200_000;

/** As many as the control takes to find one that is not whole. */
const MAX_PLAIN_COPIES = 30;

/** What a talker was shown, and when. */
interface Shown {
  readonly sessionId: string;
  readonly events: { readonly seq: number; readonly atMs: number }[];
  /** Between pieces of one answer. */
  readonly gaps: { readonly atMs: number; readonly ms: number }[];
}

/** Backups that are made while sessions stream, each restored and compared with what had been shown before it was asked for. */
export async function backupLoad(backups: number): Promise<Figure[]> {
  const engine = await startEngineProcess();
  const client = createClient(engine);
  await fillStore(client);
  const stop = new AbortController();
  const talkers = await Promise.all(Array.from({ length: TALKERS }, () => startTalking(client, stop.signal)));
  try {
    await pause(3000);
    const quietGaps = gapsOf(talkers, -Infinity, Infinity);
    const made: Made[] = [];
    const torn: string[] = [];
    for (let i = 0; i < backups; i++) {
      made.push(await makeOne(client, talkers));
      torn.push(copyPlainly(engine.dataDir));
      await pause(300);
    }
    // Between a checkpoint and the next change even such a copy is whole.
    while (made.length > 0 && torn.length < MAX_PLAIN_COPIES && !torn.some(isStale)) {
      await pause(Math.random() * 300);
      torn.push(copyPlainly(engine.dataDir));
    }
    const duringGaps = made.flatMap(({ fromMs, toMs }) => gapsOf(talkers, fromMs, toMs));
    stop.abort();
    await engine.stop();
    const checked = [];
    for (const one of made) checked.push(await checkOne(one));
    const [first] = made;
    const told = first === undefined ? { told: 0, fed: 0 } : await comeBack(first, true);
    const fooled = first === undefined ? { told: 0, fed: 0 } : await comeBack(first, false);
    const [quiet, during] = [quantile(quietGaps, 0.99), quantile(duringGaps, 0.99)];
    const longest = Math.max(0, ...duringGaps);
    return [
      none("backup: shown before it was asked for, and not in it", sum(checked, "missing"), sum(checked, "compared")),
      none("backup: restored stores in which the doctor finds a fault", sum(checked, "sick"), made.length),
      figure(
        "backup: clients with a number from before",
        `${told.told} told, ${told.fed} fed`,
        "all told, 0 fed",
        told.fed === 0 && told.told > 0,
      ),
      control("backup: the same with the old epoch kept", fooled.fed, "fed"),
      control(
        "backup: plain copies of a store that is written to",
        torn.filter(isStale).length,
        `torn or old of ${torn.length}`,
      ),
      figure(
        "backup: time of one",
        `${Math.round(median(made.map(({ fromMs, toMs }) => toMs - fromMs)))} ms`,
        "-",
        true,
      ),
      cost(
        "backup: p99 gap between pieces while one is made, beyond that without",
        during - quiet,
        Math.max(35, quiet),
        "ms",
      ),
      figure(
        "backup: the gaps themselves",
        `p99 ${Math.round(during)}, longest ${Math.round(longest)} ms`,
        `p99 without: ${Math.round(quiet)} ms`,
        true,
      ),
    ];
  } finally {
    stop.abort();
    client.close();
    await engine.kill();
  }
}

async function fillStore(client: Client): Promise<void> {
  for (let i = 0; i < FILLER_SESSIONS; i++) {
    await client.sessions.createSession({ profile: "demo", systemPrompt: "x".repeat(FILLER_BYTES) });
  }
}

/** One turn after the other; what is shown is remembered. */
async function startTalking(client: Client, signal: AbortSignal): Promise<Shown> {
  const { session } = await client.sessions.createSession({ profile: "demo" });
  const sessionId = session?.id ?? "";
  const shown: Shown = { sessionId, events: [], gaps: [] };
  const talk = async (): Promise<void> => {
    while (!signal.aborted) {
      let lastMs: number | undefined;
      const parts = [{ content: { case: "text" as const, value: ASKED } }];
      for await (const { payload } of client.messages.sendMessage({ sessionId, parts }, { signal })) {
        if (payload.case !== "event") continue;
        const atMs = performance.now();
        shown.events.push({ seq: Number(payload.value.seq), atMs });
        const isPiece = payload.value.payload.case === "textDelta";
        if (isPiece && lastMs !== undefined) shown.gaps.push({ atMs, ms: atMs - lastMs });
        lastMs = isPiece ? atMs : undefined;
      }
    }
  };
  // It ends with the signal, or with the engine.
  talk().catch(() => undefined);
  return shown;
}

interface Made {
  readonly path: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** What each session had been shown when the backup was asked for. */
  readonly shown: ReadonlyMap<string, number>;
  /** And when it was made: beyond what it holds, for those who were shown something in between. */
  readonly later: ReadonlyMap<string, number>;
}

async function makeOne(client: Client, talkers: readonly Shown[]): Promise<Made> {
  const look = (): Map<string, number> =>
    new Map(talkers.map(({ sessionId, events }) => [sessionId, events.at(-1)?.seq ?? 0]));
  const [shown, fromMs] = [look(), performance.now()];
  const { path } = await client.engine.createBackup({});
  return { path, fromMs, toMs: performance.now(), shown, later: look() };
}

interface Checked {
  readonly missing: number;
  readonly compared: number;
  readonly sick: number;
}

/** Restores a backup, and looks for the last thing that each session had been shown. */
async function checkOne({ path, shown }: Made): Promise<Checked> {
  const dataDir = makeTempDir("restored");
  await restoreBackup(path, dataDir, systemClock);
  const sick = examine(dataDir, readEvent).some(({ state }) => state === "failed") ? 1 : 0;
  const db = new Sqlite(join(dataDir, "parley.db"), { readonly: true });
  const end = db
    .prepare<[string, string], number>(
      `SELECT max(seq) FROM (SELECT seq FROM events WHERE session_key = (SELECT key FROM sessions WHERE id = ?)
        UNION ALL SELECT seq FROM deltas WHERE session_key = (SELECT key FROM sessions WHERE id = ?))`,
    )
    .pluck();
  const missing = [...shown].filter(([id, seq]) => (end.get(id, id) ?? 0) < seq).length;
  db.close();
  return { missing, compared: shown.size, sick };
}

/** Clients come back with numbers from before the restore, with and without its new identity. */
async function comeBack({ path, later }: Made, isRenewed: boolean): Promise<{ told: number; fed: number }> {
  const dataDir = makeTempDir("come-back");
  const { manifest } = await restoreBackup(path, dataDir, systemClock);
  if (!isRenewed) keepEpoch(dataDir, manifest.logEpoch);
  const engine = await startEngineProcess({ dataDir });
  const client = createClient(engine);
  let [told, fed] = [0, 0];
  for (const [sessionId, seen] of later) {
    const before = await endOfLog(client, sessionId);
    if (seen <= before) continue;
    // Once this log has grown beyond a client's number, only the identity tells that it is another thing now.
    const seq = before + 1;
    await runTurn(client, sessionId);
    const stream = client.messages.watchSession({ sessionId, afterSeq: BigInt(seq), logEpoch: manifest.logEpoch });
    try {
      await stream[Symbol.asyncIterator]().next();
      fed++;
    } catch (error) {
      if (/^(LOG_CHANGED|SEQ_AHEAD)$/.test(reasonOf(error)?.reason ?? "")) told++;
      else throw error;
    }
  }
  client.close();
  await engine.stop();
  return { told, fed };
}

async function endOfLog(client: Client, sessionId: string): Promise<number> {
  const controller = new AbortController();
  try {
    for await (const { payload } of client.messages.watchSession({ sessionId }, { signal: controller.signal })) {
      if (payload.case === "checkpoint") return Number(payload.value.lastSeq);
    }
    throw new Error("no checkpoint");
  } finally {
    controller.abort();
  }
}

async function runTurn(client: Client, sessionId: string): Promise<void> {
  const parts = [{ content: { case: "text" as const, value: "write 400 words fast" } }];
  const stream = client.messages.sendMessage({ sessionId, parts });
  for await (const { payload } of stream)
    if (payload.case === "event" && payload.value.payload.case === "turnEnded") break;
}

function keepEpoch(dataDir: string, logEpoch: string): void {
  const db = new Sqlite(join(dataDir, "parley.db"));
  db.prepare("UPDATE meta SET value = ? WHERE name = 'log_epoch'").run(logEpoch);
  db.close();
}

/** The database file alone, as somebody would who does not know better. */
function copyPlainly(dataDir: string): string {
  const to = join(makeTempDir("plain"), "parley.db");
  mkdirSync(join(to, ".."), { recursive: true });
  const source = new Sqlite(join(dataDir, "parley.db"), { readonly: true });
  const there = source.prepare<[], number>("SELECT max(revision) FROM sessions").pluck().get() ?? 0;
  source.close();
  copyFileSync(join(dataDir, "parley.db"), to);
  expected.set(to, there);
  return to;
}

/** What each plain copy should have held. */
const expected = new Map<string, number>();

function isStale(file: string): boolean {
  try {
    const db = new Sqlite(file);
    const damage = findDamage(db);
    const found = db.prepare<[], number>("SELECT max(revision) FROM sessions").pluck().get() ?? 0;
    db.close();
    return damage.length > 0 || found < (expected.get(file) ?? 0);
  } catch {
    return true;
  }
}

/** A backup onto a disk that has no room for it: told so, nothing left, and sessions go on. */
export async function backupFullDisk(): Promise<Figure[]> {
  if (!hasCompiler) return [];
  const dataDir = makeTempDir("backup-full");
  // The reserve, a store of 18 MB and its log fit; a copy of it does not.
  const quotaBytes = 56 * 1024 * 1024;
  const engine = await startEngineProcess({ dataDir, env: diskEnv({ dir: dataDir, quotaBytes }) });
  const client = createClient(engine);
  try {
    for (let i = 0; i < 90; i++)
      await client.sessions.createSession({ profile: "demo", systemPrompt: "x".repeat(FILLER_BYTES) });
    const { session } = await client.sessions.createSession({ profile: "demo" });
    const sessionId = session?.id ?? "";
    const outcome = await client.engine.createBackup({}).then(
      () => "made",
      (error: unknown) => reasonOf(error)?.reason ?? String(error),
    );
    const left = readdirSync(join(dataDir, "backups"));
    await runTurn(client, sessionId);
    return [
      figure("backup: onto a disk without room", outcome, "STORAGE_FULL", outcome === "STORAGE_FULL"),
      figure("backup: what is left of it", left.join(", ") || "nothing", "nothing", left.length === 0),
      figure(
        "backup: a turn afterwards",
        await endOf(client, sessionId),
        "completed",
        (await endOf(client, sessionId)) === "completed",
      ),
    ];
  } finally {
    client.close();
    await stopped(engine);
  }
}

async function endOf(client: Client, sessionId: string): Promise<string> {
  const { turns } = await client.messages.listTurns({ sessionId });
  return turns[0]?.endReason === 1 ? "completed" : `ended ${turns[0]?.endReason}`;
}

async function stopped(engine: EngineProcess): Promise<void> {
  await engine.stop();
}

function gapsOf(talkers: readonly Shown[], fromMs: number, toMs: number): number[] {
  return talkers.flatMap(({ gaps }) => gaps.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).map(({ ms }) => ms));
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function sum(checked: readonly Checked[], key: keyof Checked): number {
  return checked.reduce((total, one) => total + one[key], 0);
}
