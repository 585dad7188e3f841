import { resolve } from "node:path";
import { restoreBackup } from "../backup/restore-backup.ts";
import { systemClock } from "../clock.ts";
import { readDataDir } from "../config.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatBytes, formatCount } from "./view/format.ts";

/** Puts a backup in the place of the data directory's store. The engine must be stopped. */
export async function restore(context: Context, folder: string): Promise<ExitCode> {
  const { env, globals, out, json } = context;
  const dataDir = readDataDir(env, globals.dataDir);
  const { manifest, aside, logEpoch } = await restoreBackup(resolve(folder), dataDir, systemClock);
  const { createTime, files } = manifest;
  if (json) {
    out.write(`${JSON.stringify({ dataDir, createTime, aside, logEpoch })}\n`);
    return EXIT.ok;
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const notes = [
    `restored ${dataDir} to ${createTime}: ${formatCount(files.length, "file")}, ${formatBytes(BigInt(bytes))}`,
    `what was there before is in ${aside}; remove it when you do not need it any more`,
    "the logs have a new identity: clients that come back with a number from before are told to begin anew",
    "tokens are as they were then: those revoked since open the engine again, those made since do not",
  ];
  for (const note of notes) out.write(`${note}\n`);
  return EXIT.ok;
}
