import { isUtf8 } from "node:buffer";

/** The text of a file; undefined where it is none: not UTF-8, or with NUL characters. A byte order mark stays in it. */
export function textOf(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes) || bytes.includes(0)) return undefined;
  return bytes.toString("utf8");
}

/** Throws with a message for the model where a file is no text. */
export function requireText(bytes: Buffer, path: string): string {
  const text = textOf(bytes);
  if (text === undefined) throw new Error(`${path}: it is not UTF-8 text, and cannot be edited as text`);
  return text;
}

/** What kind of picture bytes are, by how they begin; undefined = none that models take. */
export function imageType(bytes: Buffer): string | undefined {
  if (bytes.subarray(0, 8).equals(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"))) return "image/png";
  if (bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return "image/jpeg";
  const head = bytes.subarray(0, 12).toString("latin1");
  if (/^GIF8[79]a/.test(head)) return "image/gif";
  if (/^RIFF.{4}WEBP$/s.test(head)) return "image/webp";
  return undefined;
}
