import type { BlobStore } from "./blob-store.ts";
import type { Blob, ByteRange } from "./blob.ts";

/** A blob's bytes at once, or some of them. Throws DomainError `BLOB_NOT_FOUND`. */
export async function readBytes(
  blobs: Pick<BlobStore, "read">,
  blob: Pick<Blob, "sha256">,
  range?: ByteRange,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of await blobs.read(blob, range)) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
