import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { makeTempDir, startEngineProcess, startRefused } from "../helpers/engine-process.ts";
import { type Figure, figure } from "./figure.ts";

/** One way a start is made impossible. */
interface Fault {
  readonly name: string;
  /** Words that the one line has to hold: what is wrong, and what to do. */
  readonly says: readonly RegExp[];
  /** Prepares a data directory with a store in it; returns where the engine is to start. */
  prepare(dataDir: string): Promise<Prepared> | Prepared;
}

interface Prepared {
  readonly dataDir: string;
  readonly port?: number;
  undo?(): Promise<unknown>;
}

const FAULTS: readonly Fault[] = [
  {
    name: "a file in place of the data directory",
    says: [/data directory/, /--data-dir/],
    prepare(dataDir) {
      const file = join(dataDir, "file");
      writeFileSync(file, "not a folder");
      return { dataDir: file };
    },
  },
  {
    name: "a data directory inside a file",
    says: [/data directory/, /--data-dir/],
    prepare(dataDir) {
      const file = join(dataDir, "file");
      writeFileSync(file, "not a folder");
      return { dataDir: join(file, "data") };
    },
  },
  {
    name: "a data directory that cannot be written",
    says: [/data directory/, /--data-dir/],
    prepare(dataDir) {
      // Root may write wherever something can be written at all.
      const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", dataDir]);
      if (mount.status !== 0) chmodSync(dataDir, 0o500);
      return { dataDir, undo: async () => spawnSync("umount", ["-l", dataDir]) };
    },
  },
  {
    name: "a data directory that can never be made",
    says: [/data directory/, /--data-dir/],
    prepare: () => ({ dataDir: "/proc/parley" }),
  },
  {
    name: "a folder in place of the token",
    says: [/token/],
    prepare(dataDir) {
      const folder = join(dataDir, "data");
      mkdirSync(join(folder, "token"), { recursive: true });
      return { dataDir: folder };
    },
  },
  {
    name: "a folder in place of the database",
    says: [/parley\.db|database|data directory/],
    prepare(dataDir) {
      const folder = join(dataDir, "data");
      mkdirSync(join(folder, "parley.db"), { recursive: true });
      return { dataDir: folder };
    },
  },
  {
    name: "a database that points nowhere",
    says: [/parley\.db|database|data directory/],
    prepare(dataDir) {
      const folder = join(dataDir, "data");
      mkdirSync(folder);
      symlinkSync("/nowhere/parley.db", join(folder, "parley.db"));
      return { dataDir: folder };
    },
  },
  {
    name: "a port that is taken",
    says: [/in use/, /--port/],
    async prepare(dataDir) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return {
        dataDir,
        port: (server.address() as AddressInfo).port,
        undo: () => new Promise((resolve) => server.close(resolve)),
      };
    },
  },
  {
    name: "a second engine on the same data directory",
    says: [/uses the data directory/, /process \d+/, /stop it|--data-dir/],
    async prepare(dataDir) {
      const first = await startEngineProcess({ dataDir });
      return { dataDir, undo: () => first.kill() };
    },
  },
  {
    name: "a database whose first page is overwritten",
    says: [/parley\.db/, /damaged/, /backup/],
    prepare(dataDir) {
      overwrite(join(dataDir, "parley.db"), 0, Buffer.alloc(2000, 0x5a));
      return { dataDir };
    },
  },
  {
    name: "a database that was cut off",
    says: [/parley\.db/, /damaged/, /backup/],
    prepare(dataDir) {
      const file = join(dataDir, "parley.db");
      truncateSync(file, Math.floor(statSync(file).size / 3));
      return { dataDir };
    },
  },
  {
    name: "a text file in place of the database",
    says: [/parley\.db/, /damaged/, /backup/],
    prepare(dataDir) {
      writeFileSync(join(dataDir, "parley.db"), "hello\n".repeat(2000));
      return { dataDir };
    },
  },
  {
    name: "a database of a newer engine",
    says: [/version/, /newer engine/],
    prepare(dataDir) {
      change(join(dataDir, "parley.db"), "PRAGMA user_version = 999");
      return { dataDir };
    },
  },
  {
    name: "a database of another program",
    says: [/not a database of parley/, /--data-dir/],
    prepare(dataDir) {
      change(join(dataDir, "parley.db"), "PRAGMA application_id = 1");
      return { dataDir };
    },
  },
];

/** Starts that cannot succeed: each ends with one line that says what to do, and changes nothing. */
export async function startupFaults(): Promise<Figure[]> {
  const template = await makeStore();
  const figures: Figure[] = [];
  for (const fault of FAULTS) figures.push(await tryStart(fault, template));
  const healthy = copyStore(template);
  const engine = await startEngineProcess({ dataDir: healthy });
  figures.push(figure("start-up: control: a store without a fault is opened", "READY", "READY", true));
  await engine.stop();
  return figures;
}

async function tryStart(fault: Fault, template: string): Promise<Figure> {
  const { dataDir, port, undo } = await fault.prepare(copyStore(template));
  const before = contentsOf(dataDir);
  const refused = await startRefused({ dataDir, ...(port !== undefined && { port }) });
  const after = contentsOf(dataDir);
  await undo?.();
  const lines = refused.stderr.trim().split("\n");
  const missing = fault.says.filter((words) => !words.test(refused.stderr));
  const problems = [
    ...(lines.length === 1 ? [] : [`${lines.length} lines`]),
    ...(refused.status.code !== null && refused.status.code !== 0
      ? []
      : [`exit ${refused.status.code ?? refused.status.signal}`]),
    ...(refused.stdout === "" ? [] : ["stdout"]),
    ...(missing.length === 0 ? [] : [`no word of ${missing.map(String).join(" ")}`]),
    ...changes(before, after),
  ];
  const line = lines[0] ?? "";
  if (problems.length > 0) console.log(`  ${fault.name}: ${problems.join(", ")}: ${refused.stderr.slice(0, 2000)}`);
  const said = line.length > 300 ? `${line.slice(0, 300)}...` : line;
  return figure(
    `start-up: ${fault.name}`,
    `exit ${refused.status.code}: ${said.replaceAll(dataDir, "DIR")}`,
    "one line, exit not 0, nothing changed",
    problems.length === 0,
  );
}

/** A store with something in it, left by a clean stop. */
async function makeStore(): Promise<string> {
  const engine = await startEngineProcess();
  await engine.stop();
  return engine.dataDir;
}

function copyStore(from: string): string {
  const to = makeTempDir("startup");
  for (const name of readdirSync(from)) {
    // Large, and made anew where it is missing.
    if (!name.endsWith(".ballast")) cpSync(join(from, name), join(to, name), { recursive: true });
  }
  return to;
}

/** What is in a folder, but for the files that only say who is there. */
function contentsOf(dataDir: string): Map<string, string> {
  const contents = new Map<string, string>();
  try {
    for (const entry of readdirSync(dataDir, { withFileTypes: true })) {
      if (!entry.isFile() || /^lock\.db|-shm$|\.ballast$/.test(entry.name)) continue;
      contents.set(entry.name, readFileSync(join(dataDir, entry.name)).toString("latin1"));
    }
  } catch {
    // No folder: nothing to change.
  }
  return contents;
}

/** What a refused start may add is a token; what it must not do is touch what was there. */
function changes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...before].filter(([name, bytes]) => after.get(name) !== bytes).map(([name]) => `${name} was changed`);
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const fd = openSync(file, "r+");
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

function change(file: string, pragma: string): void {
  const db = new Sqlite(file);
  db.exec(pragma);
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
}
