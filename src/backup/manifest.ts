import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { isAbsolute, join, normalize, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseEnd } from "../audit/chain.ts";
import { DomainError } from "../errors.ts";

/** What a backup holds, in `manifest.json` beside it. Written last: a folder without it is no backup. */
export interface Manifest {
  /** Of this file; another number is another form. */
  readonly format: number;
  /** The engine that wrote it. */
  readonly version: string;
  readonly schemaVersion: number;
  /** The identity that the store's logs had. */
  readonly logEpoch: string;
  /** ISO 8601. */
  readonly createTime: string;
  /** The end of its audit log when it was begun, as `formatEnd` writes it; absent where there was none. */
  readonly auditHead?: string;
  readonly files: readonly BackupFile[];
}

export interface BackupFile {
  /** Inside the backup, with `/`. */
  readonly path: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

export const MANIFEST = "manifest.json";
export const STORE = "parley.db";
export const BLOBS = "blobs";
export const FORMAT = 1;

/** Reads and checks the manifest of a backup. Throws DomainError invalid `BACKUP_INVALID`. */
export function readManifest(folder: string): Manifest {
  let text: string;
  try {
    text = readFileSync(join(folder, MANIFEST), "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw backupInvalid(
      `${folder} is no backup: its ${MANIFEST} cannot be read (${code}); name a folder that \`parley backup\` made`,
    );
  }
  const manifest = parseManifest(text);
  if (manifest === undefined) throw backupInvalid(`the ${MANIFEST} of ${folder} is damaged; take another backup`);
  if (manifest.format !== FORMAT) {
    throw backupInvalid(
      `the backup ${folder} has format ${manifest.format}, this version reads ${FORMAT}; use the newer one`,
    );
  }
  return manifest;
}

function parseManifest(text: string): Manifest | undefined {
  let value: Partial<Record<keyof Manifest, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || typeof value.format !== "number") return undefined;
  const { format, version, schemaVersion, logEpoch, createTime, auditHead, files } = value;
  // Only the number is known of another form.
  if (format !== FORMAT) return { format, version: "", schemaVersion: 0, logEpoch: "", createTime: "", files: [] };
  const isWhole =
    typeof version === "string" &&
    Number.isSafeInteger(schemaVersion) &&
    typeof logEpoch === "string" &&
    typeof createTime === "string" &&
    (auditHead === undefined || (typeof auditHead === "string" && parseEnd(auditHead) !== undefined)) &&
    Array.isArray(files) &&
    files.every(isBackupFile) &&
    files.some(({ path }) => path === STORE);
  return isWhole ? (value as Manifest) : undefined;
}

function isBackupFile(value: unknown): value is BackupFile {
  const { path, bytes, sha256 } = (value ?? {}) as Partial<Record<keyof BackupFile, unknown>>;
  return (
    typeof path === "string" &&
    isInside(path) &&
    Number.isSafeInteger(bytes) &&
    typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256)
  );
}

/** The store or a blob: a manifest that somebody wrote must not lead anywhere else. */
function isInside(path: string): boolean {
  if (path === STORE) return true;
  return path.startsWith(`${BLOBS}/`) && !isAbsolute(path) && normalize(path) === path.replaceAll("/", sep);
}

/** Reads a whole file, in pieces. */
export async function hashFile(file: string): Promise<Pick<BackupFile, "bytes" | "sha256">> {
  const hash = createHash("sha256");
  let bytes = 0;
  await pipeline(createReadStream(file), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  return { bytes, sha256: hash.digest("hex") };
}

export function backupInvalid(message: string): DomainError {
  return new DomainError("invalid", "BACKUP_INVALID", message);
}
