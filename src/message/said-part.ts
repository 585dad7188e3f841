import type { BlobStore } from "../blob/blob-store.ts";
import { blobNotFound, checkedContentType, type Blob } from "../blob/blob.ts";
import { readBytes } from "../blob/read-bytes.ts";
import { writeBytes } from "../blob/write-bytes.ts";
import { DomainError, invalidField } from "../errors.ts";
import { imageType } from "../tool/file/file-text.ts";
import type { Attachment, Part, Role } from "./message.ts";

/** Bytes as a caller gives them: these, or those of a blob. Exactly one is not empty. */
export interface GivenBytes {
  readonly sha256: string;
  readonly data: Uint8Array;
}

/** A piece of a message as a caller gives it. */
export type SaidPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly bytes: GivenBytes }
  | { readonly kind: "file"; readonly bytes: GivenBytes; readonly mediaType: string; readonly name: string };

type SaidAttachment = Exclude<SaidPart, { kind: "text" }>;

/** What providers take of one picture, and what a conversation stays affordable with. */
export const MAX_IMAGE_BYTES = 5 * 1024 * 1024;
const MAX_IMAGES = 20;

/** What tells the kind of a picture stands in so many bytes at its beginning. */
const HEAD_BYTES = 16;

/** One that was looked at and is fine. `stored` is undefined where its bytes are still to be kept. */
interface Checked {
  readonly contentType: string;
  readonly stored: Blob | undefined;
}

/**
 * The parts of a message as it is stored: bytes that come with it become blobs, and named blobs live on as if they were
 * uploaded now, until the message refers to them. All are looked at before anything is kept. Throws DomainError
 * `INVALID_FIELD`, `BLOB_NOT_FOUND`, and what keeping a blob throws.
 */
export async function takeParts(blobs: BlobStore, said: readonly SaidPart[]): Promise<Part[]> {
  const attachments = said.flatMap((part, i) =>
    part.kind === "text" ? [] : [{ part, field: `parts[${i}].${part.kind}` }],
  );
  const images = attachments.filter(({ part }) => part.kind === "image").length;
  if (images > MAX_IMAGES) throw invalidField("parts", `${images} pictures; a message holds at most ${MAX_IMAGES}`);
  const checked = new Map<SaidPart, Checked>();
  for (const { part, field } of attachments) checked.set(part, await check(blobs, part, field));
  await blobs.renew(
    [...checked.values()].flatMap(({ stored, contentType }) =>
      stored === undefined ? [] : [{ ...stored, contentType }],
    ),
  );
  const parts: Part[] = [];
  for (const part of said) {
    const found = checked.get(part);
    if (part.kind === "text") parts.push(part);
    else if (found !== undefined) parts.push(await keep(blobs, part, found));
  }
  return parts;
}

async function check(blobs: BlobStore, part: SaidAttachment, field: string): Promise<Checked> {
  if (part.kind === "file") checkName(part.name, `${field}.name`);
  const { sha256, data } = part.bytes;
  if (sha256 === "" && data.length === 0) {
    throw invalidField(field, "there are no bytes; give data, or the sha256 of a blob that was uploaded");
  }
  if (sha256 !== "" && data.length > 0) throw invalidField(field, "give either data or sha256, not both");
  const stored = sha256 === "" ? undefined : await getBlob(blobs, sha256, `${field}.sha256`);
  if (part.kind === "image") return { stored, contentType: await typeOfImage(blobs, stored ?? data, field) };
  return { stored, contentType: checkedContentType(part.mediaType === "" ? stored?.contentType : part.mediaType) };
}

/** What its bytes say, whatever anybody claims. */
async function typeOfImage(blobs: BlobStore, given: Blob | Uint8Array, field: string): Promise<string> {
  const size = "sha256" in given ? given.sizeBytes : given.length;
  if (size > MAX_IMAGE_BYTES) {
    throw invalidField(field, `the picture has ${size} bytes; make it smaller, at most ${MAX_IMAGE_BYTES}`);
  }
  const type = imageType("sha256" in given ? await readHead(blobs, given) : Buffer.from(given.subarray(0, HEAD_BYTES)));
  if (type !== undefined) return type;
  throw invalidField(field, "the bytes are no picture; PNG, JPEG, GIF and WebP are taken, anything else as a file");
}

async function getBlob(blobs: BlobStore, sha256: string, field: string): Promise<Blob> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw invalidField(field, "a blob is named by 64 digits of lower-case hex");
  try {
    return await blobs.get(sha256);
  } catch (error) {
    throw error instanceof DomainError && error.reason === "BLOB_NOT_FOUND" ? blobNotFound(sha256, field) : error;
  }
}

async function readHead(blobs: BlobStore, blob: Blob): Promise<Buffer> {
  if (blob.sizeBytes === 0) return Buffer.alloc(0);
  const end = Math.min(HEAD_BYTES, blob.sizeBytes) - 1;
  return readBytes(blobs, blob, { start: 0, end });
}

/** Told to models and to browsers as a name: nothing that is a way to somewhere, or looks like another line. */
function checkName(name: string, field: string): void {
  if (name === "") throw invalidField(field, "it is empty; give the file's name");
  const isPlain = !/[/\\\p{Cc}\p{Bidi_Control}\u2028\u2029]/u.test(name) && name !== "." && name !== "..";
  if (isPlain && name.isWellFormed()) return;
  throw invalidField(field, "give a name alone, without folders, line breaks or control characters");
}

async function keep(blobs: BlobStore, part: SaidAttachment, { contentType, stored }: Checked): Promise<Part> {
  const { sha256, sizeBytes } = stored ?? (await writeBytes(blobs, part.bytes.data, contentType));
  const attachment: Attachment = { sha256, mediaType: contentType, sizeBytes };
  return part.kind === "image" ? { kind: "image", ...attachment } : { kind: "file", ...attachment, name: part.name };
}

/** Pictures and files are what a user shows: no provider takes them from anybody else. Throws DomainError `INVALID_FIELD`. */
export function checkAuthor(role: Role, parts: readonly Part[]): void {
  if (role === "user") return;
  const at = parts.findIndex(({ kind }) => kind === "image" || kind === "file");
  if (at >= 0) throw invalidField(`parts[${at}]`, "only a message of the user holds pictures and files; send text");
}
