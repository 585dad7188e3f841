import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { makePrivate } from "../data-dir.ts";
import { DomainError } from "../errors.ts";
import type { CopyProgress } from "../store/database.ts";
import { gatherBlobs, listBlobs, sync } from "./blob-files.ts";
import { BLOBS, FORMAT, hashFile, type BackupFile, MANIFEST, type Manifest, STORE } from "./manifest.ts";

/**
 * What a backup leaves of the disk, at least: what runs must be able to end, and to make its own reserve of this size again.
 */
const LEFT_BYTES = 16 * 1024 * 1024;

const WRITE_NEW = { mode: 0o600, flag: "wx", flush: true } as const;

/** What is to be copied. */
export interface BackupSource {
  readonly dataDir: string;
  readonly version: string;
  readonly schemaVersion: number;
  readonly logEpoch: string;
  /** The end of its audit log, as `formatEnd` writes it; undefined where it has none. */
  readonly auditHead: () => Promise<string | undefined>;
  readonly clock: Clock;
  readonly storeBytes: () => Promise<number>;
  /** As `Database.copyTo`. */
  readonly copyStore: (file: string, progress: CopyProgress) => Promise<void>;
}

/** A backup that is whole. */
export interface Backup {
  readonly path: string;
  readonly bytes: number;
  /** The moment it holds. */
  readonly createTimeMs: number;
  /** The end of the audit log when it was begun. */
  readonly auditHead: string | undefined;
}

/** Where an engine's backups are. */
export function backupsFolder(dataDir: string): string {
  return join(dataDir, "backups");
}

/**
 * Copies the store and its blobs into a new folder in `parent`, which has its name only when all of it is on the disk.
 * Nothing is left behind otherwise. Throws DomainError `STORAGE_FULL`, `STORAGE_FAILED`, and what `signal` says.
 */
export async function makeBackup(source: BackupSource, parent: string, signal?: AbortSignal): Promise<Backup> {
  let partial: string | undefined;
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    const check = (): void => {
      signal?.throwIfAborted();
      if (freeBytes(parent) < LEFT_BYTES) throw storageFull();
    };
    if (freeBytes(parent) < LEFT_BYTES + (await source.storeBytes())) throw storageFull();
    const name = freeName(parent, source.clock.now());
    partial = join(parent, `.${name}.partial`);
    await mkdir(partial, { mode: 0o700 });
    // An entry that is in the copy, whatever is added while it is made.
    const auditHead = await source.auditHead();
    const createTimeMs = await fill(source, partial, check);
    const manifest = await describe(source, partial, createTimeMs, auditHead);
    // None of these syncs in the way of anybody else's: the disk may take long for each.
    await writeFile(join(partial, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`, WRITE_NEW);
    await sync(partial);
    signal?.throwIfAborted();
    const path = join(parent, name);
    await rename(partial, path);
    partial = undefined;
    await sync(parent);
    return { path, createTimeMs, auditHead, bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0) };
  } catch (error) {
    if (partial !== undefined) await rm(partial, { recursive: true, force: true });
    throw refusal(error);
  }
}

/** Resolves with the moment that the copy holds. */
async function fill({ dataDir, clock, copyStore }: BackupSource, folder: string, check: () => void): Promise<number> {
  const file = join(folder, STORE);
  const [from, to] = [join(dataDir, BLOBS), join(folder, BLOBS)];
  // Before and after: what the store names at its moment was there at one of the two.
  await gatherBlobs(from, to);
  makePrivate(file);
  let createTimeMs = clock.now();
  await copyStore(file, { check, onMoment: () => (createTimeMs = clock.now()) });
  await sync(file);
  await gatherBlobs(from, to);
  return createTimeMs;
}

async function describe(
  source: BackupSource,
  folder: string,
  createTimeMs: number,
  auditHead: string | undefined,
): Promise<Manifest> {
  const files: BackupFile[] = [];
  const blobs = await listBlobs(join(folder, BLOBS));
  for (const path of [STORE, ...blobs.map((blob) => `${BLOBS}/${blob}`)]) {
    files.push({ path, ...(await hashFile(join(folder, path))) });
  }
  for (const path of await foldersIn(folder)) await sync(path);
  const { version, schemaVersion, logEpoch } = source;
  const createTime = new Date(createTimeMs).toISOString();
  const head = auditHead !== undefined && { auditHead };
  return { format: FORMAT, version, schemaVersion, logEpoch, createTime, ...head, files };
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  if (!(await stat(join(folder, BLOBS)).catch(() => undefined))) return [];
  const inside = readdirSync(join(folder, BLOBS), { recursive: true, withFileTypes: true });
  const below = inside.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return [...below, join(folder, BLOBS)];
}

/** The UTC time, and a number where there is one of that second already. */
export function freeName(parent: string, nowMs: number, prefix = ""): string {
  const time = `${prefix}${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`;
  for (let number = 1; ; number++) {
    const name = `${time}-${number}`;
    if (!existsSync(join(parent, name)) && !existsSync(join(parent, `.${name}.partial`))) return name;
  }
}

/** Removes what a backup that was killed has left. Only where nobody makes one. */
export function removePartialBackups(parent: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    if (/^\.\d{8}T\d{6}Z-\d+\.partial$/.test(name)) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function storageFull(cause?: unknown): DomainError {
  const message = "there is no room for a backup on its disk; free some space, or write it to another disk";
  return new DomainError("exhausted", "STORAGE_FULL", message, {}, { cause });
}

function refusal(error: unknown): unknown {
  if (error instanceof DomainError) return error.reason === "STORAGE_FULL" ? storageFull(error) : error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return storageFull(error);
  if (code === undefined || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const message = `the backup cannot be written (${code}); look at the folder and its disk`;
  return new DomainError("unavailable", "STORAGE_FAILED", message, {}, { cause: error });
}
