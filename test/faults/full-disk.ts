import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { type Client, createClient, type Event, reasonOf } from "../../src/client/client.ts";
import { type Turn, TurnEndReason, TurnState } from "../../gen/ts/parley/v1/turn_pb.ts";
import { EngineDidNotStart, type EngineProcess, makeTempDir, startEngineProcess } from "../helpers/engine-process.ts";
import { diskEnv } from "./disk-shim.ts";
import { type Figure, figure, none } from "./figure.ts";
import { within } from "./talker.ts";
import { checkReplay, createWitness } from "./witness.ts";

/** Room for the ballast (16 MiB), a store and its log. */
const DISK_BYTES = 40 * 1024 * 1024;
const BALLAST_BYTES = 16 * 1024 * 1024;

/** A turn that has not ended by then is not going to, on whatever machine. */
const END_LIMIT_MS = 120_000;

/** A folder on a disk of its own. */
interface SmallDisk {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Leaves not a byte. */
  fill(): void;
  free(): void;
  close(): void;
}

/** A tmpfs where one may be mounted, else a quota. */
function makeSmallDisk(): SmallDisk {
  const dir = makeTempDir("disk");
  const filler = join(dir, "filler");
  const free = (): void => rmSync(filler, { force: true });
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", dir]);
  if (mount.status === 0) {
    return { dir, env: {}, free, fill: () => fillUp(filler), close: () => void spawnSync("umount", ["-l", dir]) };
  }
  const others = (): number =>
    readdirSync(dir).reduce((sum, name) => sum + (name === "filler" ? 0 : statSync(join(dir, name)).size), 0);
  const fill = (): void => {
    closeSync(openSync(filler, "w"));
    truncateSync(filler, Math.max(0, DISK_BYTES - others()));
  };
  return { dir, env: diskEnv({ dir, quotaBytes: DISK_BYTES }), free, fill, close: () => undefined };
}

function fillUp(file: string): void {
  const fd = openSync(file, "a");
  for (let size = 1024 * 1024; size >= 1;) {
    try {
      writeSync(fd, Buffer.alloc(size));
    } catch {
      size = Math.floor(size / 4);
    }
  }
  closeSync(fd);
}

/** What works on a disk without a byte left, and what is told of what does not. */
export async function fullDisk(): Promise<Figure[]> {
  const disk = makeSmallDisk();
  try {
    return [...(await withBallast(disk)), ...(await withoutBallast(disk))];
  } finally {
    disk.close();
  }
}

async function withBallast(disk: SmallDisk): Promise<Figure[]> {
  const { engine, client } = await start(disk);
  await untilBallast(disk);
  const streaming = await newTurn(client, "write 100000 words at 1000 words a second");
  const stalled = await newStalledTurn(client);
  const late = await newStalledTurn(client);
  const witness = createWitness();
  const ended = watchToEnd(client, streaming, witness.take);

  disk.fill();
  const refused = await refusalOf(() => createUntilRefused(client));
  const readable = await client.sessions.listMessages({ sessionId: streaming.sessionId });
  const isEnded = await within(END_LIMIT_MS, ended);
  const failed = await turnOf(client, streaming);
  const cancelled = await cancel(client, stalled);
  // Now what was kept back is gone, too.
  disk.fill();
  await refusalOf(() => createUntilRefused(client));
  const lateCancel = await cancel(client, late);
  disk.free();
  const isLateEnded = await within(
    END_LIMIT_MS,
    watchToEnd(client, late, () => undefined),
  );
  const lateEnd = await turnOf(client, late);
  disk.fill();
  const stopped = await stop(engine, client);

  const restart = await startOrWords(disk);
  disk.free();
  const next = "engine" in restart ? restart : await start(disk);
  const after = await newTurn(next.client, "write 3 words");
  const isUsable = await within(
    END_LIMIT_MS,
    watchToEnd(next.client, after, () => undefined),
  );
  const violations = checkReplay(witness.look(), await replay(next.client, streaming.sessionId));
  await stop(next.engine, next.client);
  return [
    figure("full disk: what cannot be stored is refused", refused, "STORAGE_FULL", refused === "STORAGE_FULL"),
    figure("full disk: reads work", `${readable.messages.length} messages`, "at least 1", readable.messages.length > 0),
    figure(
      "full disk: the running turn ends",
      `${isEnded ? "ended" : "open"} ${failed?.endReason} ${failed?.error?.reason}`,
      "ended FAILED STORAGE_FULL",
      isEnded && failed?.endReason === TurnEndReason.FAILED && failed.error?.reason === "STORAGE_FULL",
    ),
    figure("full disk: a cancel works", cancelled, "cancelled", cancelled === "cancelled"),
    figure(
      "full disk: a cancel without any space ends the turn once there is some",
      `${lateCancel}, then ${isLateEnded ? "ended" : "open"} ${lateEnd?.endReason}`,
      "STORAGE_FULL, then ended CANCELLED",
      lateCancel === "STORAGE_FULL" && isLateEnded && lateEnd?.endReason === TurnEndReason.CANCELLED,
    ),
    figure("full disk: a stop works", stopped, "exit 0", stopped === "exit 0"),
    figure(
      "full disk: a start serves, or says what to do",
      "engine" in restart ? "READY" : restart.words.trim(),
      "READY, or one line with full",
      "engine" in restart || isOneLineOfFull(restart.words),
    ),
    none("full disk: events shown that were lost or changed", violations.length, witness.eventCount),
    figure("full disk: with space again a turn completes", isUsable ? "completed" : "hangs", "completed", isUsable),
    figure("full disk: PRAGMA integrity_check afterwards", integrityOf(disk), "ok", integrityOf(disk) === "ok"),
  ];
}

/** The guard off: nothing is kept back for ends. */
async function withoutBallast(disk: SmallDisk): Promise<Figure[]> {
  const { engine, client } = await start(disk);
  await untilBallast(disk);
  const stalled = await newStalledTurn(client);
  rmSync(join(disk.dir, "parley.db.ballast"));
  disk.fill();
  await refusalOf(() => createUntilRefused(client));
  const outcome = await cancel(client, stalled);
  disk.free();
  client.close();
  await engine.kill();
  return [figure("control: full disk without ballast: a cancel", outcome, "not cancelled", outcome !== "cancelled")];
}

interface Started {
  readonly engine: EngineProcess;
  readonly client: Client;
}

async function start({ dir, env }: SmallDisk): Promise<Started> {
  const engine = await startEngineProcess({ dataDir: dir, env });
  return { engine, client: createClient(engine) };
}

async function startOrWords(disk: SmallDisk): Promise<Started | { readonly words: string }> {
  try {
    return await start(disk);
  } catch (error) {
    if (error instanceof EngineDidNotStart) return { words: error.stderr };
    throw error;
  }
}

function isOneLineOfFull(words: string): boolean {
  return words.trim().split("\n").length === 1 && /\bfull\b/.test(words);
}

async function stop(engine: EngineProcess, client: Client): Promise<string> {
  const { code, signal } = await engine.stop();
  client.close();
  return code === null ? `killed ${signal}` : `exit ${code}`;
}

/** The ballast is made in the background, and there is no event for it. */
async function untilBallast({ dir }: SmallDisk): Promise<void> {
  const file = join(dir, "parley.db.ballast");
  const end = performance.now() + END_LIMIT_MS;
  while (!existsSync(file) || statSync(file).size < BALLAST_BYTES) {
    if (performance.now() > end) throw new Error(`no ballast beside ${readdirSync(dir).join(", ")}`);
    await pause(20);
  }
}

/** Starts a turn in a session of its own; resolves once its answer has begun, or will never. */
async function newTurn(client: Client, text: string): Promise<Turn> {
  const turn = await startTurn(client, text);
  await watchUntil(
    client,
    turn.sessionId,
    ({ payload }) => payload.case === "textDelta" || payload.case === "turnEnded",
    () => undefined,
  );
  return turn;
}

const STALLED_WORDS = 5;

/** A turn with nothing more to store: all that it says has been shown, so it is on the disk. */
async function newStalledTurn(client: Client): Promise<Turn> {
  const turn = await startTurn(client, `stall after ${STALLED_WORDS} words`);
  let said = "";
  await watchUntil(
    client,
    turn.sessionId,
    () => said.split(" ").length >= STALLED_WORDS,
    ({ payload }) => {
      if (payload.case === "textDelta") said += payload.value.text;
    },
  );
  return turn;
}

async function startTurn(client: Client, text: string): Promise<Turn> {
  const { session } = await client.sessions.createSession({ title: "a test", profile: "demo" });
  const sessionId = session?.id ?? "";
  const { turn } = await client.messages.startTurn({ sessionId, parts: [{ content: { case: "text", value: text } }] });
  if (turn === undefined) throw new Error("no turn");
  return turn;
}

async function watchToEnd(client: Client, turn: Turn, onEvent: (event: Event) => void): Promise<void> {
  await watchUntil(
    client,
    turn.sessionId,
    ({ payload, turnId }) => payload.case === "turnEnded" && turnId === turn.id,
    onEvent,
  );
}

async function watchUntil(
  client: Client,
  sessionId: string,
  isLast: (event: Event) => boolean,
  onEvent: (event: Event) => void,
): Promise<void> {
  const controller = new AbortController();
  for await (const { payload } of client.messages.watchSession({ sessionId }, { signal: controller.signal })) {
    if (payload.case !== "event") continue;
    onEvent(payload.value);
    if (isLast(payload.value)) break;
  }
  controller.abort();
}

async function replay(client: Client, sessionId: string): Promise<Event[]> {
  const events: Event[] = [];
  const controller = new AbortController();
  for await (const { payload } of client.messages.watchSession({ sessionId }, { signal: controller.signal })) {
    if (payload.case === "event") events.push(payload.value);
    else if (payload.case === "checkpoint" && payload.value.caughtUp) break;
  }
  controller.abort();
  return events;
}

/** The log has room left that it wrote before; what fits into it is stored. */
async function createUntilRefused(client: Client): Promise<never> {
  for (let i = 0; i < 1000; i++)
    await client.sessions.createSession({ title: "a test", profile: "demo", systemPrompt: "x".repeat(200_000) });
  throw new Error("never refused");
}

async function refusalOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "none";
  } catch (error) {
    return reasonOf(error)?.reason ?? String(error);
  }
}

async function cancel(client: Client, { sessionId, id: turnId }: Turn): Promise<string> {
  try {
    const { turn } = await client.messages.cancelTurn({ sessionId, turnId, wait: { seconds: 5n } });
    if (turn?.state !== TurnState.ENDED) return "not ended";
    return turn.endReason === TurnEndReason.CANCELLED ? "cancelled" : `ended ${turn.endReason}`;
  } catch (error) {
    return reasonOf(error)?.reason ?? String(error);
  }
}

async function turnOf(client: Client, { sessionId, id: turnId }: Turn): Promise<Turn | undefined> {
  return (await client.messages.getTurn({ sessionId, turnId })).turn;
}

function integrityOf({ dir }: SmallDisk): string {
  const db = new Sqlite(join(dir, "parley.db"), { readonly: true });
  const answer = db.pragma("integrity_check", { simple: true });
  db.close();
  return String(answer);
}
