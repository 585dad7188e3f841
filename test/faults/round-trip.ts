import { createHash } from "node:crypto";
import { createClient, type Client } from "../../src/client/client.ts";
import { memoryOf, startEngineProcess, type EngineProcess } from "../helpers/engine-process.ts";
import { atMost, control, cost, figure, none, type Figure } from "./figure.ts";
import { createRandom, makeExport } from "./made-export.ts";

/** Blobs that a file is cut into, at any byte. */
const BLOB_BYTES = 1_000_000;

/** Others are served while an import runs: what a call may wait longer than a small write of an engine that has nothing to do. */
const MAX_WAIT_MS = 1000;

/** What an import may add to the memory of an engine; the file of the long form is larger. */
const MAX_GROWTH_MB = 120;

/** Where an engine was asked to import a file. */
interface Place {
  readonly engine: EngineProcess;
  readonly client: Client;
}

async function startPlace(dataDir?: string): Promise<Place> {
  const engine = await startEngineProcess(dataDir === undefined ? {} : { dataDir });
  return { engine, client: createClient({ url: engine.url, token: engine.token }) };
}

/** A file as blobs of an engine, in order, cut at any byte. */
async function uploadAll({ client }: Place, file: Iterable<string> | AsyncIterable<Uint8Array>): Promise<string[]> {
  const random = createRandom(2);
  const blobs: string[] = [];
  let rest = Buffer.alloc(0);
  for await (const piece of file) {
    rest = Buffer.concat([rest, Buffer.from(piece as string)]);
    if (rest.length < BLOB_BYTES) continue;
    const end = Math.ceil(rest.length * (0.5 + random() / 2));
    blobs.push((await client.uploadBlob(rest.subarray(0, end))).sha256);
    rest = rest.subarray(end);
  }
  blobs.push((await client.uploadBlob(rest)).sha256);
  return blobs;
}

/** Compares what an engine exports with a file, without holding either. */
async function sameAs(
  place: Place,
  file: Iterable<string>,
): Promise<{ readonly isSame: boolean; readonly bytes: number }> {
  const [own, other] = [createHash("sha256"), createHash("sha256")];
  let bytes = 0;
  for await (const { data } of place.client.sessions.exportSessions({})) {
    own.update(data);
    bytes += data.length;
  }
  for (const line of file) other.update(line);
  return { isSame: own.digest("hex") === other.digest("hex"), bytes };
}

/** Imports, and tells how long others had to wait meanwhile, and how much memory it took. */
async function importWatched({ engine, client }: Place, blobs: string[], idle: Place) {
  const seen = { isDone: false, longestMs: 0, idleMs: 0, growthMb: 0 };
  const before = memoryOf(engine.pid);
  const ask = async (): Promise<void> => {
    const startMs = performance.now();
    await client.engine.getInfo({});
    seen.longestMs = Math.max(seen.longestMs, performance.now() - startMs);
    const idleMs = performance.now();
    await idle.client.sessions.createSession({});
    seen.idleMs = Math.max(seen.idleMs, performance.now() - idleMs);
    seen.growthMb = Math.max(seen.growthMb, (memoryOf(engine.pid) - before) / 1e6);
    if (!seen.isDone) return ask();
  };
  const asking = ask();
  const startMs = performance.now();
  const answer = await client.sessions.importSessions({ blobs }, { timeoutMs: 30 * 60_000 });
  const tookMs = performance.now() - startMs;
  seen.isDone = true;
  await asking;
  return { answer, tookMs, ...seen };
}

async function stop({ engine, client }: Place): Promise<void> {
  client.close();
  await engine.stop();
}

/**
 * Sessions with everything that can be in one are imported, exported, imported into an empty store, and exported again; an
 * engine is killed in the middle of an import and asked again.
 */
export async function roundTrip(sessions: number): Promise<readonly Figure[]> {
  const idle = await startPlace();
  const first = await startPlace();
  const imported = await importWatched(first, await uploadAll(first, makeExport(sessions)), idle);
  const firstIs = await sameAs(first, makeExport(sessions));

  const second = await startPlace();
  const exported = first.client.sessions.exportSessions({});
  const blobs = await uploadAll(
    second,
    (async function* () {
      for await (const { data } of exported) yield data;
    })(),
  );
  const killed = await killInImport(second, blobs);
  const again = await importWatched(killed.place, blobs, idle);
  const secondIs = await sameAs(killed.place, makeExport(sessions));
  const renamed = again.answer.renamed.length;

  const third = await startPlace();
  await third.client.sessions.importSessions(
    { blobs: await uploadAll(third, withOneChange(makeExport(sessions))) },
    { timeoutMs: 30 * 60_000 },
  );
  const thirdIs = await sameAs(third, makeExport(sessions));

  for (const place of [idle, first, killed.place, third]) await stop(place);
  const waits = [imported, again].map(({ longestMs, idleMs }) => longestMs - idleMs);
  const megabytes = firstIs.bytes / 1e6;
  return [
    figure(
      "sessions imported",
      Number(imported.answer.sessionCount),
      `${sessions}`,
      imported.answer.sessionCount === BigInt(sessions),
    ),
    figure("first export, beside what was imported", firstIs.isSame ? "equal" : "different", "equal", firstIs.isSame),
    figure("after an import into an empty store", secondIs.isSame ? "equal" : "different", "equal", secondIs.isSame),
    none("ids that got another name there", renamed, sessions),
    none("sessions left by an import that was killed", killed.left, sessions),
    cost("longest wait of others, beside one of an idle engine", Math.max(...waits), MAX_WAIT_MS, "ms"),
    atMost("memory that an import took", Math.max(imported.growthMb, again.growthMb), MAX_GROWTH_MB, "MB"),
    figure(
      "size, and speed of the import",
      `${megabytes.toFixed(1)} MB, ${(megabytes / (imported.tookMs / 1000)).toFixed(1)} MB/s`,
      "told",
      true,
    ),
    control("one character of one message changed", thirdIs.isSame ? 0 : 1, "files told apart"),
  ];
}

/** What the store has grown by once something of an import is in it. */
const FIRST_PIECE_BYTES = 64n * 1024n;

/** Kills an engine while it imports; answers another one on its store, and how many sessions were there. */
async function killInImport(place: Place, blobs: string[]): Promise<{ readonly place: Place; readonly left: number }> {
  const { client, engine } = place;
  const before = await client.engine.getStatus({});
  const cut = client.sessions.importSessions({ blobs }, { timeoutMs: 30 * 60_000 }).then(
    () => false,
    () => true,
  );
  // As soon as the first piece of it is in the store.
  while ((await client.engine.getStatus({})).storeBytes < before.storeBytes + FIRST_PIECE_BYTES);
  await engine.kill();
  client.close();
  if (!(await cut)) throw new Error("the import was over before the engine was killed; give it more sessions");
  const next = await startPlace(engine.dataDir);
  const { sessions } = await next.client.sessions.listSessions({});
  return { place: next, left: sessions.length };
}

function* withOneChange(lines: Iterable<string>): Generator<string> {
  let isChanged = false;
  for (const line of lines) {
    const changed: string = isChanged
      ? line
      : line.replace(
          /(^\{"message".*word\d)(\d)/,
          (_all, before: string, digit: string) => before + ((Number(digit) + 1) % 10),
        );
    isChanged ||= changed !== line;
    yield changed;
  }
}
