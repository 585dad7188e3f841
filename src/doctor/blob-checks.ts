import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type BetterSqlite3 from "better-sqlite3";
import { isDataDirLocked } from "../data-dir.ts";
import { failed, type Finding, ok, some, warning } from "./finding.ts";

/** Blobs, and what was to become one. */
const OURS = /^(?:[0-9a-f]{64}$|upload-)/;

interface KnownBlob {
  readonly sha256: string;
  readonly size_bytes: number;
  readonly is_wanted: number;
}

/** The names of uploaded files. To be read before the store: what comes in between is then known, and what goes was seen. */
export function listBlobFiles(dataDir: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(join(dataDir, "blobs")).filter((name) => OURS.test(name)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Set();
    throw error;
  }
}

/** Compares uploaded files with what the store says of them. `seen` is what `listBlobFiles` found before. */
export function checkBlobs(db: BetterSqlite3.Database, dataDir: string, seen: ReadonlySet<string>): Finding {
  const blobs = db
    .prepare<[], KnownBlob>(
      `SELECT sha256, size_bytes, EXISTS (SELECT 1 FROM blob_references AS r WHERE r.sha256 = blobs.sha256) AS is_wanted
      FROM blobs`,
    )
    .all();
  const bad = blobs.filter((blob) => !isSound(blob, dataDir, seen));
  const wanted = bad.filter(({ is_wanted: isWanted }) => isWanted === 1).map(({ sha256 }) => sha256);
  if (wanted.length > 0) {
    const mend = "upload them again (POST /blobs), or take them from the blobs/ of a backup";
    return failed("blobs", `files that messages or changes name are missing or cut off: ${some(wanted)}; ${mend}`);
  }
  if (bad.length > 0) {
    return warning("blobs", `${bad.length} files that nothing names are missing; they are forgotten within a day`);
  }
  const known = new Set(blobs.map(({ sha256 }) => sha256));
  const unknown = [...seen].filter((name) => !known.has(name));
  // An engine that runs may be taking them in.
  if (unknown.length > 0 && !isDataDirLocked(dataDir)) {
    return warning("blobs", `${unknown.length} files are of no upload that ended; the next start removes them`);
  }
  return ok("blobs", blobs.length === 0 ? "none" : `${blobs.length}, and all their files are there`);
}

function isSound({ sha256, size_bytes: sizeBytes }: KnownBlob, dataDir: string, seen: ReadonlySet<string>): boolean {
  const found = lstatSync(join(dataDir, "blobs", sha256), { throwIfNoEntry: false });
  // One that was removed since the store was read was there before.
  return found === undefined ? seen.has(sha256) : found.size === sizeBytes;
}
