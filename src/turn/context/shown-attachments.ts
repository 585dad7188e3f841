import type { BlobStore } from "../../blob/blob-store.ts";
import { readBytes } from "../../blob/read-bytes.ts";
import { DomainError } from "../../errors.ts";
import type { Attachment, FilePart, Image, Message } from "../../message/message.ts";
import type { ModelImage, ModelMessage, ModelPart } from "../../model/model.ts";
import { textOf } from "../../tool/file/file-text.ts";

/** Of files that are text, so much of one and of all in one message is sent; of larger ones the name. */
const MAX_FILE_BYTES = 256 * 1024;
const MAX_FILES_BYTES = 1024 * 1024;

/** Of pictures the newest are sent, so many and so large together: each call sends them again, and holds them meanwhile. */
const MAX_IMAGES = 50;
const MAX_IMAGES_BYTES = 20 * 1024 * 1024;

type Blobs = Pick<BlobStore, "get" | "read">;

/** What is left of what may be sent. */
interface Room {
  images: number;
  imageBytes: number;
}

/**
 * Messages as a model is told them: pictures to be read, text files as text with their names, and a word where something is
 * not sent. What is missing from the store never fails a call.
 */
export async function showAttachments(blobs: Blobs, messages: readonly Message[]): Promise<readonly ModelMessage[]> {
  // Nearly always: not even a list of its own is made.
  if (messages.every(isPlain)) return messages;
  const room: Room = { images: MAX_IMAGES, imageBytes: MAX_IMAGES_BYTES };
  const shown: ModelMessage[] = [];
  for (const message of messages.toReversed()) {
    shown.push(isPlain(message) ? message : { ...message, parts: await showParts(blobs, message, room) });
  }
  return shown.toReversed();
}

function isPlain(message: Message): message is Message & ModelMessage {
  return message.parts.every(
    (part) =>
      part.kind !== "image" && part.kind !== "file" && (part.kind !== "tool_result" || part.images === undefined),
  );
}

async function showParts(blobs: Blobs, { parts }: Message, room: Room): Promise<readonly ModelPart[]> {
  const shown: ModelPart[] = [];
  let fileBytes = MAX_FILES_BYTES;
  for (const part of parts) {
    if (part.kind === "image") {
      const image = await showImage(blobs, part, room);
      shown.push(typeof image === "string" ? attached(image) : { kind: "image", ...image });
    } else if (part.kind === "file") {
      const isSent = part.sizeBytes <= Math.min(fileBytes, MAX_FILE_BYTES);
      if (isSent) fileBytes -= part.sizeBytes;
      shown.push(attached(await showFile(blobs, part, isSent)));
    } else if (part.kind === "tool_result" && part.images !== undefined) {
      const images = await Promise.all(part.images.map((image) => showImage(blobs, image, room)));
      const words = images.filter((image) => typeof image === "string").join("");
      shown.push({ ...part, text: part.text + words, images: images.filter((image) => typeof image !== "string") });
    } else shown.push(part as ModelPart);
  }
  return shown;
}

function attached(text: string): ModelPart {
  return { kind: "text", text, isAttached: true };
}

/** The picture, or a word where it is not sent. */
async function showImage(blobs: Blobs, image: Image, room: Room): Promise<ModelImage | string> {
  const { sha256, mediaType, sizeBytes } = image;
  if (room.images === 0 || sizeBytes > room.imageBytes) return `\n[${describe(image, "a picture")}: not sent again]\n`;
  room.images--;
  room.imageBytes -= sizeBytes;
  if (!(await isThere(blobs, image))) return `\n[${describe(image, "a picture")}: its bytes are not here]\n`;
  return { sha256, mediaType, sizeBytes, bytes: () => readBytes(blobs, image) };
}

async function showFile(blobs: Blobs, file: FilePart, isSent: boolean): Promise<string> {
  const head = describe(file, `the file ${file.name}`);
  if (!(await isThere(blobs, file))) return `\n[${head}: its bytes are not here]\n`;
  if (!isSent) return `\n[${head}: too large to be sent as text]\n`;
  const text = textOf(await readBytes(blobs, file));
  return text === undefined ? `\n[${head}: not text]\n` : `\n[${head}, follows]\n${text}\n[the end of ${file.name}]\n`;
}

function describe({ mediaType, sizeBytes }: Attachment, what: string): string {
  return `${what}, ${mediaType}, ${sizeBytes} bytes`;
}

async function isThere(blobs: Blobs, { sha256 }: Attachment): Promise<boolean> {
  try {
    await blobs.get(sha256);
    return true;
  } catch (error) {
    if (error instanceof DomainError && error.reason === "BLOB_NOT_FOUND") return false;
    throw error;
  }
}
