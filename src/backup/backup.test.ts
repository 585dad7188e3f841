import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { lockDataDir } from "../data-dir.ts";
import { readLogEpoch } from "../event/log-epoch.ts";
import { openSqlite } from "../store/sqlite.ts";
import type { CopyProgress, Database } from "../store/database.ts";
import { type AuditLog, openAuditLog } from "../audit/audit-log.ts";
import { formatEnd, parseEnd } from "../audit/chain.ts";
import { readChain } from "../audit/read-chain.ts";
import { verifyChain } from "../audit/verify-chain.ts";
import { createBackups } from "./backups.ts";
import { type Backup, type BackupSource, makeBackup } from "./make-backup.ts";
import type { Manifest } from "./manifest.ts";
import { makeOfflineBackup } from "./offline-backup.ts";
import { restoreBackup } from "./restore-backup.ts";
import { swapStore, undoCutOffSwap } from "./swap-store.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-backup-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Place {
  readonly dataDir: string;
  readonly db: Database;
  readonly source: BackupSource;
  readonly audit: AuditLog;
}

/** A store with a row of its own, as an engine has it. */
async function open(dataDir: string, said: string): Promise<Place> {
  const db = openSqlite(join(dataDir, "parley.db"));
  const logEpoch = await readLogEpoch(db);
  const audit = await openAuditLog(db, { clock: systemClock, scrub: (text) => text, keepMs: 1e9 });
  await audit.add({ action: "ENGINE_STARTED", actor: "" });
  await say(db, said);
  const source = {
    dataDir,
    version: "1.2.3",
    schemaVersion: 1,
    logEpoch,
    auditHead: async () => formatEnd(await audit.head()),
    clock: systemClock,
    storeBytes: () => db.size(),
    copyStore: (file: string, progress: CopyProgress) => db.copyTo(file, progress),
  };
  return { dataDir, db, source, audit };
}

async function say(db: Database, said: string): Promise<void> {
  await db.transact([
    {
      sql: "INSERT INTO meta (name, value) VALUES ('said', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      params: [said],
    },
  ]);
}

async function said(dataDir: string): Promise<string | undefined> {
  const db = openSqlite(join(dataDir, "parley.db"));
  const row = await db.get<{ value: string }>({ sql: "SELECT value FROM meta WHERE name = 'said'", params: [] });
  await db.close();
  return row?.value;
}

/** A stopped store that says "now", and a backup of when it said "then". */
async function makeBoth(): Promise<{ dataDir: string; backup: Backup }> {
  const { dataDir, db, source } = await open(makeFolder(), "then");
  writeBlob(dataDir, "a blob of then");
  const backup = await makeBackup(source, join(dataDir, "backups"));
  await say(db, "now");
  await db.close();
  return { dataDir, backup };
}

function writeBlob(dataDir: string, text: string): string {
  const name = createHash("sha256").update(text).digest("hex");
  mkdirSync(join(dataDir, "blobs"), { recursive: true });
  writeFileSync(join(dataDir, "blobs", name), text);
  return name;
}

describe("a backup", () => {
  test("holds the blobs, shares their bytes, and leaves out what is still being uploaded", async () => {
    const { dataDir, db, source } = await open(makeFolder(), "then");
    const name = writeBlob(dataDir, "hello");
    writeFileSync(join(dataDir, "blobs", "upload-1"), "half");
    const { path, bytes } = await makeBackup(source, join(dataDir, "backups"));
    expect(readdirSync(join(path, "blobs"))).toEqual([name]);
    expect(statSync(join(path, "blobs", name)).ino).toBe(statSync(join(dataDir, "blobs", name)).ino);
    const manifest = JSON.parse(readFileSync(join(path, "manifest.json"), "utf8")) as Manifest;
    expect(manifest.files.map((file) => file.path)).toEqual(["parley.db", `blobs/${name}`]);
    expect(manifest.files[1]).toEqual({ path: `blobs/${name}`, bytes: 5, sha256: name });
    expect(bytes).toBe(5 + (manifest.files[0]?.bytes ?? 0));
    await db.close();
  });

  test("holds all that was stored at its moment and nothing later, whatever is written meanwhile", async () => {
    const { dataDir, db, source } = await open(makeFolder(), "0");
    await db.transact([{ sql: "CREATE TABLE filler (x BLOB)", params: [] }]);
    for (let i = 0; i < 20; i++)
      await db.transact([{ sql: "INSERT INTO filler VALUES (zeroblob(200000))", params: [] }]);
    let stored = 0;
    const done = new AbortController();
    const writing = (async () => {
      while (!done.signal.aborted) {
        await say(db, String(stored + 1));
        stored++;
      }
    })();
    let storedAtMoment = 0;
    const { path } = await makeBackup(
      {
        ...source,
        copyStore: (file, { check, onMoment }) =>
          source.copyStore(file, {
            check,
            onMoment() {
              storedAtMoment = stored;
              onMoment();
            },
          }),
      },
      join(dataDir, "backups"),
    );
    done.abort();
    await writing;
    await db.close();
    expect(storedAtMoment).toBeGreaterThan(0);
    expect(Number(await said(path))).toBe(storedAtMoment);
  });

  test.each([
    [
      "a full disk in the middle",
      Object.assign(new Error("full"), { code: "ENOSPC", syscall: "write" }),
      "STORAGE_FULL",
    ],
    ["a disk that fails", Object.assign(new Error("io"), { code: "EIO", syscall: "write" }), "STORAGE_FAILED"],
  ])("%s: it is told so, and nothing is left behind", async (_name, error, reason) => {
    const { dataDir, db, source } = await open(makeFolder(), "then");
    const copyStore = async (file: string): Promise<void> => {
      writeFileSync(file, "half");
      throw error;
    };
    await expect(makeBackup({ ...source, copyStore }, join(dataDir, "backups"))).rejects.toMatchObject({ reason });
    expect(readdirSync(join(dataDir, "backups"))).toEqual([]);
    await db.close();
  });

  test("a store that does not fit is refused before anything is written", async () => {
    const { dataDir, db, source } = await open(makeFolder(), "then");
    const huge = { storeBytes: async () => 2 ** 52, copyStore: () => Promise.reject(new Error("it was begun")) };
    await expect(makeBackup({ ...source, ...huge }, join(dataDir, "backups"))).rejects.toMatchObject({
      reason: "STORAGE_FULL",
    });
    await db.close();
  });

  test("that a stop gives up leaves nothing behind; what a kill left goes with the next start", async () => {
    const { dataDir, db, source, audit } = await open(makeFolder(), "then");
    mkdirSync(join(dataDir, "backups", ".20260101T000000Z-1.partial"), { recursive: true });
    const backups = createBackups({
      ...source,
      audit,
      copyStore: async (file, progress) => {
        void backups.close();
        await source.copyStore(file, progress);
        progress.check();
      },
    });
    expect(readdirSync(join(dataDir, "backups"))).toEqual([]);
    await expect(backups.create("admin")).rejects.toMatchObject({ reason: "ENGINE_STOPPING" });
    await backups.close();
    expect(readdirSync(join(dataDir, "backups"))).toEqual([]);
    await expect(backups.create("admin")).rejects.toMatchObject({ reason: "ENGINE_STOPPING" });
    await db.close();
  });

  test("of a stopped store is made with its lock, and changes nothing", async () => {
    const { dataDir } = await makeBoth();
    const before = readFileSync(join(dataDir, "parley.db"));
    const where = { dataDir, parent: join(dataDir, "elsewhere"), version: "1.2.3", clock: systemClock };
    const { path } = await makeOfflineBackup(where);
    expect(await said(path)).toBe("now");
    expect(readFileSync(join(dataDir, "parley.db")).equals(before)).toBe(true);
    const unlock = lockDataDir(dataDir);
    await expect(makeOfflineBackup(where)).rejects.toMatchObject({ reason: "DATA_DIR_LOCKED" });
    unlock();
    await expect(makeOfflineBackup({ ...where, dataDir: makeFolder() })).rejects.toMatchObject({
      reason: "STORE_NOT_FOUND",
    });
  });
});

describe("a restore", () => {
  test("brings the store and its blobs back, keeps the old ones aside, and gives the logs a new identity", async () => {
    const { dataDir, backup } = await makeBoth();
    const late = writeBlob(dataDir, "a blob of now");
    const { aside, logEpoch, manifest } = await restoreBackup(backup.path, dataDir, systemClock);
    expect(await said(dataDir)).toBe("then");
    expect(await said(aside)).toBe("now");
    expect(existsSync(join(aside, "blobs", late))).toBe(true);
    expect(existsSync(join(dataDir, "blobs", late))).toBe(false);
    expect(readdirSync(join(dataDir, "blobs"))).toHaveLength(1);
    expect(logEpoch).not.toBe(manifest.logEpoch);
    const db = openSqlite(join(dataDir, "parley.db"));
    expect(await readLogEpoch(db)).toBe(logEpoch);
    await db.close();
    const { entries, ...ends } = readChain(join(dataDir, "parley.db"));
    expect(entries.map(({ action }) => action)).toEqual(["ENGINE_STARTED", "STORE_RESTORED"]);
    const known = [{ ...parseEnd(manifest.auditHead!)!, where: "the manifest" }];
    expect(verifyChain({ ...ends, entries, known }).problems).toEqual([]);
    expect(readdirSync(dataDir).filter((name) => name.includes("partial") || name === "restore.json")).toEqual([]);
  });

  test("into an empty data directory makes one", async () => {
    const { backup } = await makeBoth();
    const dataDir = join(makeFolder(), "new", "data");
    await restoreBackup(backup.path, dataDir, systemClock);
    expect(await said(dataDir)).toBe("then");
  });

  test("of the same backup twice works: the backup is not changed by it", async () => {
    const { dataDir, backup } = await makeBoth();
    const first = await restoreBackup(backup.path, dataDir, systemClock);
    const second = await restoreBackup(backup.path, dataDir, systemClock);
    expect(new Set([first.logEpoch, second.logEpoch, first.aside, second.aside]).size).toBe(4);
  });

  test("is refused while an engine runs", async () => {
    const { dataDir, backup } = await makeBoth();
    const unlock = lockDataDir(dataDir);
    await expect(restoreBackup(backup.path, dataDir, systemClock)).rejects.toMatchObject({ reason: "DATA_DIR_LOCKED" });
    unlock();
    expect(await said(dataDir)).toBe("now");
  });

  const faults: readonly [string, RegExp, (folder: string) => void][] = [
    ["no manifest", /is no backup/, (folder) => rmSync(join(folder, "manifest.json"))],
    ["half a manifest", /is damaged/, (folder) => writeFileSync(join(folder, "manifest.json"), '{"format":')],
    ["a manifest of null", /is damaged/, (folder) => writeFileSync(join(folder, "manifest.json"), "null")],
    [
      "another format",
      /has format 2, this version reads 1/,
      (folder) => manifestWith(folder, (old) => ({ ...old, format: 2 })),
    ],
    ["no files", /is damaged/, (folder) => manifestWith(folder, (old) => ({ ...old, files: [] }))],
    [
      "a file outside",
      /is damaged/,
      (folder) =>
        manifestWith(folder, (old) => ({
          ...old,
          files: [...old.files, { ...old.files[0], path: "blobs/../../token" }],
        })),
    ],
    ["a missing file", /parley\.db is missing/, (folder) => rmSync(join(folder, "parley.db"))],
    [
      "a file that grew",
      /parley\.db .* is not what it was/,
      (folder) => appendFileSync(join(folder, "parley.db"), "x"),
    ],
    ["a damaged store with a manifest that fits", /is damaged|file is not a database/, spoilAndSign],
  ];
  test.each(faults)("of a backup with %s is refused, and nothing is changed", async (_name, words, harm) => {
    const { dataDir, backup } = await makeBoth();
    harm(backup.path);
    const before = readdirSync(dataDir)
      .filter((name) => name !== "lock.db")
      .sort();
    await expect(restoreBackup(backup.path, dataDir, systemClock)).rejects.toThrow(words);
    expect(
      readdirSync(dataDir)
        .filter((name) => name !== "lock.db")
        .sort(),
    ).toEqual(before);
    expect(await said(dataDir)).toBe("now");
  });

  test.each([0, 1, 2, 3])("that is killed after %i moves is taken back by the next start", async (moves) => {
    const { dataDir, backup } = await makeBoth();
    const staged = join(dataDir, ".restore.partial");
    mkdirSync(staged);
    for (const name of ["parley.db", "blobs"]) renameSync(join(backup.path, name), join(staged, name));
    const [aside, old] = [join(dataDir, "before-restore-x"), join(dataDir, "parley.db")];
    mkdirSync(aside);
    writeFileSync(
      join(dataDir, "restore.json"),
      JSON.stringify({ aside: "before-restore-x", had: ["parley.db", "blobs"] }),
    );
    const steps = [
      () => renameSync(old, join(aside, "parley.db")),
      () => renameSync(join(dataDir, "blobs"), join(aside, "blobs")),
      () => renameSync(join(staged, "parley.db"), old),
    ];
    for (const step of steps.slice(0, moves)) step();
    expect(undoCutOffSwap(dataDir)).toBe(true);
    expect(await said(dataDir)).toBe("now");
    expect(existsSync(join(dataDir, "blobs"))).toBe(true);
    expect(existsSync(aside)).toBe(false);
    expect(undoCutOffSwap(dataDir)).toBe(false);
  });

  test.each(["{}", "", "null", "[]", '{"aside": 1}'])(
    "whose note is %j is refused, and nothing is touched",
    async (note) => {
      const { dataDir } = await makeBoth();
      writeFileSync(join(dataDir, "restore.json"), note);
      expect(() => undoCutOffSwap(dataDir)).toThrow(expect.objectContaining({ reason: "RESTORE_UNCLEAR" }));
      expect(await said(dataDir)).toBe("now");
    },
  );

  test("control: the same kill without being taken back leaves no store, or another one", async () => {
    const { dataDir } = await makeBoth();
    renameSync(join(dataDir, "parley.db"), join(makeFolder(), "parley.db"));
    expect(await said(dataDir)).toBeUndefined();
  });

  test("that fails while it swaps is taken back at once", async () => {
    const { dataDir } = await makeBoth();
    const staged = makeFolder();
    writeFileSync(join(staged, "parley.db"), "new");
    mkdirSync(join(staged, "blobs"));
    const aside = join(dataDir, "aside");
    const moved: string[] = [];
    const rename = (from: string, to: string): void => {
      if (moved.push(to) === 4) throw new Error("no more");
      renameSync(from, to);
    };
    expect(() => swapStore(dataDir, staged, aside, rename)).toThrow("no more");
    expect(moved).toHaveLength(4);
    expect(await said(dataDir)).toBe("now");
    expect(readdirSync(join(dataDir, "blobs"))).toHaveLength(1);
    expect(existsSync(join(dataDir, "restore.json"))).toBe(false);
  });
});

function manifestWith(folder: string, change: (manifest: Manifest) => unknown): void {
  const file = join(folder, "manifest.json");
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8")) as Manifest)));
}

function spoilAndSign(folder: string): void {
  const file = join(folder, "parley.db");
  const bytes = readFileSync(file);
  bytes.fill(0x5a, 4096 * 2, 4096 * 9);
  writeFileSync(file, bytes);
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const files = manifest.files.map((one) => (one.path === "parley.db" ? { ...one, sha256 } : one));
  writeFileSync(join(folder, "manifest.json"), JSON.stringify({ ...manifest, files }));
}
