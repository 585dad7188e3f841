import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { DomainError } from "../errors.ts";
import { blobTooLarge, MAX_BLOB_BYTES, type Blob } from "./blob.ts";

/**
 * Writes bytes into a new file as they come and hashes them on the way; the file is on the disk when it resolves. Throws
 * DomainError `BLOB_TOO_LARGE`, `STORAGE_FULL`, `STORAGE_FAILED`, and what the source throws; the file is the caller's to remove.
 */
export async function receive(
  source: AsyncIterable<Uint8Array>,
  file: string,
): Promise<Pick<Blob, "sha256" | "sizeBytes">> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const handle = await open(file, "wx", 0o600).catch(diskRefusal);
  try {
    for await (const chunk of source) {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_BLOB_BYTES) throw blobTooLarge();
      hash.update(chunk);
      await handle.writeFile(chunk).catch(diskRefusal);
    }
    await handle.sync().catch(diskRefusal);
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest("hex"), sizeBytes };
}

/** Rejects with what a caller may know of a disk that refused. */
export function diskRefusal(error: unknown): never {
  if (error instanceof DomainError) throw error;
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = "the disk of the data directory is full; free some space and try again";
    throw new DomainError("exhausted", "STORAGE_FULL", message, {}, { cause: error });
  }
  const message = `the data directory cannot be read or written (${code}); look at the engine's log`;
  throw new DomainError("unavailable", "STORAGE_FAILED", message, {}, { cause: error });
}
