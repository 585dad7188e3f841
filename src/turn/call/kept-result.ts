import type { BlobStore } from "../../blob/blob-store.ts";
import { MAX_BLOB_BYTES } from "../../blob/blob.ts";
import { writeBytes } from "../../blob/write-bytes.ts";
import { DomainError } from "../../errors.ts";
import type { Image, ToolResultPart } from "../../message/message.ts";
import { cutResult } from "../../tool/result.ts";
import type { ToolImage, ToolResult } from "../../tool/tool.ts";

/** What a call came to, as it is stored. */
export type KeptResult = Pick<ToolResultPart, "text" | "images" | "blob">;

type Blobs = Pick<BlobStore, "write">;

/**
 * Keeps what is too large for a message, and pictures, as blobs. The call has done what it did: what cannot be kept is told,
 * not thrown.
 */
export async function keepResult(blobs: Blobs, { text, images = [] }: ToolResult): Promise<KeptResult> {
  const cut = cutResult(text);
  let told = cut.text;
  let blob: string | undefined;
  const shown: Image[] = [];
  try {
    if (cut.whole !== undefined) blob = await keepWhole(blobs, cut.whole);
    for (const image of images) shown.push(await keepImage(blobs, image));
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    told += `\n[not all of this result could be kept: ${error.message}]`;
  }
  return { text: told, ...(shown.length > 0 && { images: shown }), ...(blob !== undefined && { blob }) };
}

async function keepWhole(blobs: Blobs, whole: Buffer): Promise<string> {
  const kept = await writeBytes(blobs, whole.subarray(0, MAX_BLOB_BYTES), "text/plain; charset=utf-8");
  return kept.sha256;
}

async function keepImage(blobs: Blobs, { mediaType, bytes }: ToolImage): Promise<Image> {
  const { sha256, sizeBytes } = await writeBytes(blobs, bytes, mediaType);
  return { sha256, mediaType, sizeBytes };
}
