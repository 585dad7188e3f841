import { isUtf8 } from "node:buffer";
import { open, type FileHandle } from "node:fs/promises";
import { homedir } from "node:os";
import { basename } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client, Message, PartSchema } from "../client/client.ts";
import { UsageError } from "./failure.ts";

/** A picture or a file that goes with what is said. */
export interface AttachedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly part: MessageInitShape<typeof PartSchema>;
}

export type AttachAs = "image" | "file";

/** So much of a file tells whether it is text. */
const HEAD_BYTES = 64 * 1024;

/** What a file is by its name; the engine looks at the bytes of a picture. */
export function attachAs(path: string): AttachAs {
  return /\.(?:png|jpe?g|gif|webp)$/i.test(path) ? "image" : "file";
}

/** Uploads a file of this machine. Throws UsageError where it cannot be read. */
export async function attachFile(
  client: Client,
  given: string,
  as: AttachAs,
  signal: AbortSignal,
): Promise<AttachedFile> {
  const path = given.replace(/^~(?=\/|$)/, homedir());
  const handle = await openFile(path, given);
  try {
    const mediaType = as === "image" || !(await isText(handle)) ? "" : "text/plain";
    const bytes = handle.createReadStream({ start: 0, autoClose: false });
    const upload = { signal, ...(mediaType !== "" && { contentType: mediaType }) };
    const { sha256, sizeBytes } = await client.uploadBlob(bytes, upload);
    const name = basename(path);
    if (as === "image") return { name, sizeBytes, part: { content: { case: "image", value: { sha256 } } } };
    return { name, sizeBytes, part: { content: { case: "file", value: { sha256, mediaType, name } } } };
  } finally {
    await handle.close();
  }
}

/** What goes with a message, to go with another. */
export function attachedTo({ parts }: Message): AttachedFile[] {
  return parts.flatMap(({ content }): AttachedFile[] => {
    if (content.case !== "image" && content.case !== "file") return [];
    const sizeBytes = Number(content.value.sizeBytes);
    const { sha256 } = content.value;
    if (content.case === "image") {
      return [{ name: "a picture", sizeBytes, part: { content: { case: "image", value: { sha256 } } } }];
    }
    const { name, mediaType } = content.value;
    return [{ name, sizeBytes, part: { content: { case: "file", value: { sha256, mediaType, name } } } }];
  });
}

async function openFile(path: string, given: string): Promise<FileHandle> {
  try {
    const handle = await open(path);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new UsageError(`${given}: ${code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`}`);
  }
  throw new UsageError(`${given}: it is not a file`);
}

/** A character may be cut at the end of what is looked at. */
async function isText(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  const head = buffer.subarray(0, bytesRead);
  if (head.includes(0)) return false;
  return [0, 1, 2, 3].some((cut) => isUtf8(head.subarray(0, bytesRead - (bytesRead === HEAD_BYTES ? cut : 0))));
}
