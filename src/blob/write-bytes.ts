import type { BlobStore } from "./blob-store.ts";
import type { Blob } from "./blob.ts";

/** Keeps bytes that are there at once as a blob. Throws what `BlobStore.write` throws. */
export function writeBytes(blobs: Pick<BlobStore, "write">, bytes: Uint8Array, contentType: string): Promise<Blob> {
  return blobs.write(once(bytes), contentType);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
