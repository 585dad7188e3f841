import { existsSync } from "node:fs";
import { resolve } from "node:path";
import packageFile from "../../package.json" with { type: "json" };
import { backupsFolder } from "../backup/make-backup.ts";
import { moveBackup } from "../backup/move-backup.ts";
import { makeOfflineBackup } from "../backup/offline-backup.ts";
import { systemClock } from "../clock.ts";
import { readDataDir } from "../config.ts";
import { DomainError } from "../errors.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatBytes } from "./view/format.ts";
import { findRunning } from "./running-engine.ts";

/** As long as a very large store on a slow disk takes. */
const TIMEOUT_MS = 6 * 60 * 60_000;

export interface BackupOptions {
  /** The folder to put it in; absent = `backups` of the data directory. */
  readonly output?: string;
}

/** Has the engine make a backup, or makes it where none runs. stdout gets its path. */
export async function backup(context: Context, { output }: BackupOptions): Promise<ExitCode> {
  const made = await makeBackupAt(context, output);
  const { out, json } = context;
  if (json) out.write(`${JSON.stringify({ path: made.path, sizeBytes: String(made.bytes) })}\n`);
  else out.write(`${made.path}\n`);
  context.note(
    `a backup of ${formatBytes(BigInt(made.bytes))}; it holds conversations and the hashes of tokens: keep it as you keep those`,
  );
  return EXIT.ok;
}

interface Made {
  readonly path: string;
  readonly bytes: number;
}

async function makeBackupAt(context: Context, output: string | undefined): Promise<Made> {
  const { env, globals } = context;
  const parent = output === undefined ? undefined : resolve(output);
  const dataDir = readDataDir(env, globals.dataDir);
  const isNamed = globals.url !== undefined || (globals.dataDir === undefined && Boolean(env["PARLEY_URL"]));
  if (!isNamed && findRunning(dataDir) === undefined) {
    const where = {
      dataDir,
      parent: parent ?? backupsFolder(dataDir),
      version: packageFile.version,
      clock: systemClock,
    };
    return makeOfflineBackup(where);
  }
  const client = await context.client();
  const { path, sizeBytes } = await client.engine.createBackup({}, { timeoutMs: TIMEOUT_MS });
  const bytes = Number(sizeBytes);
  if (parent === undefined) return { path, bytes };
  if (!existsSync(path)) {
    const message = `the backup is made, but not on this machine: it is in ${path} where the engine runs; fetch it from there`;
    throw new DomainError("precondition", "BACKUP_ELSEWHERE", message);
  }
  return { path: await moveBackup(path, parent), bytes };
}
