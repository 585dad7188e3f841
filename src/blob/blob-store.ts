import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { syncFolder } from "../durable-file.ts";
import { createInTurn } from "../in-turn.ts";
import { ClaimLost, type Database } from "../store/database.ts";
import { blobNotFound, type Blob, type ByteRange } from "./blob.ts";
import { deleteBlob, insertBlob, renewBlob, selectBlob, selectBlobsBefore, type BlobRow } from "./blob-rows.ts";
import { diskRefusal, receive } from "./receive.ts";

/** What nothing refers to is kept so long after its upload. */
const KEEP_MS = 24 * 60 * 60_000;

const READ_BYTES = 256 * 1024;

const BLOB_NAME = /^[0-9a-f]{64}$/;

/** Begins the name of a file that is still being uploaded. */
const UNFINISHED = "upload-";

/** Uploaded files, in a folder of their own, each named by the hash of its bytes. */
export interface BlobStore {
  /**
   * Takes bytes as they come; they are on the disk when it resolves. The same bytes again only begin their day anew. Throws
   * DomainError `BLOB_TOO_LARGE`, `STORAGE_FULL`, `STORAGE_FAILED`, and what the source throws; nothing is kept then.
   */
  write(source: AsyncIterable<Uint8Array>, contentType: string): Promise<Blob>;
  /** Throws DomainError `BLOB_NOT_FOUND`. */
  get(sha256: string): Promise<Blob>;
  /**
   * Begins the day of blobs that are there anew, as an upload does, for who is about to refer to them; they are what is said of
   * them here from now on. Throws DomainError `BLOB_NOT_FOUND` where one is gone; then nothing was done.
   */
  renew(blobs: readonly Pick<Blob, "sha256" | "contentType">[]): Promise<void>;
  /** Its bytes, or some of them. The caller destroys what it does not read to its end. Throws DomainError `BLOB_NOT_FOUND`. */
  read(blob: Pick<Blob, "sha256">, range?: ByteRange): Promise<Readable>;
  /** Removes what is older than a day and not referred to. */
  sweep(): Promise<void>;
  /** Removes what an engine that died was taking in. To be called before the first write. */
  dropLeftOver(): Promise<void>;
}

export function createBlobStore(folder: string, db: Database, clock: Clock): BlobStore {
  // What is being removed must not be what has just been uploaded again.
  const inTurn = createInTurn();
  let uploads = 0;

  async function keep(temporary: string, blob: Blob): Promise<void> {
    await rename(temporary, join(folder, blob.sha256));
    syncFolder(folder);
    await db.transact([insertBlob(blob, clock.now())]);
  }

  /** The row first: a file without a row is found at the next start, a row without a file would promise what is not there. */
  async function removeOld(): Promise<void> {
    const beforeMs = clock.now() - KEEP_MS;
    for (const { sha256 } of await db.all<BlobRow>(selectBlobsBefore(beforeMs))) {
      try {
        await db.transact([deleteBlob(sha256, beforeMs)]);
      } catch (error) {
        // Somebody refers to it since we looked.
        if (error instanceof ClaimLost) continue;
        throw error;
      }
      await rm(join(folder, sha256), { force: true });
    }
  }

  async function get(sha256: string): Promise<Blob> {
    const row = await db.get<BlobRow>(selectBlob(sha256));
    if (row === undefined) throw blobNotFound(sha256);
    return { sha256, sizeBytes: row.size_bytes, contentType: row.content_type };
  }

  return {
    write: async (source, contentType) => {
      await mkdir(folder, { recursive: true, mode: 0o700 }).catch(diskRefusal);
      const temporary = join(folder, `${UNFINISHED}${process.pid}-${uploads++}`);
      try {
        const blob = { ...(await receive(source, temporary)), contentType };
        await inTurn(() => keep(temporary, blob).catch(diskRefusal));
        return blob;
      } finally {
        await rm(temporary, { force: true });
      }
    },
    get,
    renew: async (blobs) => {
      if (blobs.length === 0) return;
      try {
        await db.transact(blobs.map((blob) => renewBlob(blob, clock.now())));
      } catch (error) {
        if (error instanceof ClaimLost) for (const { sha256 } of blobs) await get(sha256);
        throw error;
      }
    },
    read: async ({ sha256 }, range) => {
      const handle = await open(join(folder, sha256)).catch((error: NodeJS.ErrnoException) => {
        // Removed since it was looked up.
        if (error.code === "ENOENT") throw blobNotFound(sha256);
        return diskRefusal(error);
      });
      return handle.createReadStream({ ...range, highWaterMark: READ_BYTES });
    },
    sweep: () => inTurn(removeOld),
    dropLeftOver: () =>
      inTurn(async () => {
        for (const name of await listFiles(folder)) {
          const isKnown = BLOB_NAME.test(name) && (await db.get<BlobRow>(selectBlob(name))) !== undefined;
          if (!isKnown) await rm(join(folder, name));
        }
      }),
  };
}

/** The files that are ours: blobs, and what was to become one. */
async function listFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => BLOB_NAME.test(name) || name.startsWith(UNFINISHED));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
