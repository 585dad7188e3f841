import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { type Disk, writeAtomically } from "./durable-file.ts";
import { DomainError } from "./errors.ts";

/** What a running engine tells those who look for it. */
export interface EngineFile {
  /** The first of `urls`. */
  readonly url: string;
  readonly urls: readonly string[];
  readonly pid: number;
  readonly version: string;
  /** The engine's own certificate as PEM, where it speaks TLS: clients on this machine hold it to this one. */
  readonly certificate?: string;
}

/** 32 random bytes, as security.md asks. */
const TOKEN_BYTES = 32;

/** Makes the folder, readable by its owner alone. Throws DomainError `DATA_DIR_UNUSABLE`. */
export function openDataDir(path: string): void {
  try {
    makeFolder(path);
    const probe = join(path, `.probe-${process.pid}`);
    writeFileSync(probe, "", { mode: 0o600 });
    rmSync(probe);
    chmodSync(path, 0o700);
  } catch (error) {
    throw unusable(path, error);
  }
}

/** With the folders above it. Node's own recursive mkdir never returns where a folder cannot be made, as under /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  mkdirSync(path, { mode: 0o700 });
}

function unusable(path: string, error: unknown): DomainError {
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  const mend =
    code === "ENOSPC"
      ? "its disk is full; free some space, or name another with --data-dir"
      : "name another with --data-dir, or mend its permissions";
  const message = `the data directory, or a file in it, cannot be used (${code}): ${path}; ${mend}`;
  return new DomainError("unavailable", "DATA_DIR_UNUSABLE", message, {}, { cause: error });
}

/**
 * Takes the folder for this process alone; the returned function gives it back. The lock is a transaction held open, which
 * the system ends with the process, however it dies. Throws DomainError `DATA_DIR_LOCKED` that names the holder.
 */
export function lockDataDir(path: string): () => void {
  makePrivate(join(path, "lock.db"));
  const lock = new Sqlite(join(path, "lock.db"), { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if ((error as { code?: string }).code !== "SQLITE_BUSY") throw error;
    const other = readEngineFile(path);
    const who = other === undefined ? "another engine" : `the engine at ${other.url} (process ${other.pid})`;
    throw new DomainError(
      "unavailable",
      "DATA_DIR_LOCKED",
      `${who} uses the data directory ${path}; stop it, or name another directory with --data-dir`,
    );
  }
  return () => lock.close();
}

/** Whether an engine, or a command that works on its store, has the folder for itself at this moment. */
export function isDataDirLocked(path: string): boolean {
  const file = join(path, "lock.db");
  if (!existsSync(file)) return false;
  const lock = new Sqlite(file, { readonly: true, timeout: 0 });
  try {
    lock.prepare("SELECT count(*) FROM sqlite_schema").get();
    return false;
  } catch (error) {
    if ((error as { code?: string }).code === "SQLITE_BUSY") return true;
    throw error;
  } finally {
    lock.close();
  }
}

/** Makes an empty file that its owner alone can read; SQLite takes it for a new database, and gives its mode to what it puts beside it. */
export function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, "a", 0o600));
  } catch (error) {
    throw unusable(file, error);
  }
}

/** The admin token that is kept in the folder; made where there is none. */
export function readOrMakeToken(path: string, disk?: Disk): string {
  const file = join(path, "token");
  try {
    const token = readFileSync(file, "utf8").trim();
    if (token !== "") return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw unusable(file, error);
  }
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  store(file, `${token}\n`, disk);
  return token;
}

/** Tells clients on this machine where the engine is. */
export function writeEngineFile(path: string, engine: EngineFile): void {
  store(join(path, "engine.json"), `${JSON.stringify(engine)}\n`);
}

export function removeEngineFile(path: string): void {
  rmSync(join(path, "engine.json"), { force: true });
}

/** Names the folder on this machine, whatever the path to it; a copy of it has another name. */
export function nameOfDataDir(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev.toString(36)}-${ino.toString(36)}`;
}

/** What the last engine wrote; one that was killed leaves it behind. */
export function readEngineFile(path: string): EngineFile | undefined {
  try {
    return JSON.parse(readFileSync(join(path, "engine.json"), "utf8")) as EngineFile;
  } catch {
    // Not there yet, or half a file of a crashed system: only the refusal is less precise.
    return undefined;
  }
}

function store(file: string, text: string, disk?: Disk): void {
  try {
    writeAtomically(file, text, disk);
  } catch (error) {
    throw unusable(file, error);
  }
}
