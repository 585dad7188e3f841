import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";

/** A page as text. */
export interface WebText {
  readonly text: string;
  /** What it was made from, such as `text/html`. */
  readonly mediaType: string;
}

/** So much is converted before others get a turn. */
const PIECE_CHARS = 64 * 1024;

/** What of a page is no text to read. What runs or styles is left out by the converter itself. */
const LEFT_OUT = [
  "form",
  "button",
  "input",
  "select",
  "textarea",
  "iframe",
  "object",
  "embed",
  "svg",
  "noscript",
  "template",
];

/** Text that is not called text. */
const TEXTS =
  /^(text\/[\w.+-]+|application\/(json|ld\+json|xml|xhtml\+xml|javascript|ecmascript|x-javascript|typescript|yaml|x-yaml|toml|graphql|sql|x-sh|x-ndjson|jsonl|rtf|[\w.-]+\+(json|xml|yaml))|image\/svg\+xml)$/;

export interface WebTextRequest {
  readonly bytes: Buffer;
  /** The header, empty where there is none. */
  readonly contentType: string;
  readonly url: URL;
  /** True: as it came, also HTML. */
  readonly isRaw: boolean;
  readonly signal: AbortSignal;
}

/** Reads what was fetched: HTML as Markdown, other text as it is. Throws with a message for the model where it is no text. */
export async function readWebText({ bytes, contentType, url, isRaw, signal }: WebTextRequest): Promise<WebText> {
  const mediaType = mediaTypeOf(contentType, bytes);
  if (!TEXTS.test(mediaType)) throw new Error(`it is ${mediaType}, not text; nothing of it can be shown`);
  const isHtml = mediaType === "text/html" || mediaType === "application/xhtml+xml";
  const text = decode(bytes, contentType, isHtml);
  // What says that it is text and is none would be shown as thousands of characters that mean nothing.
  if (text.slice(0, 1024).includes("\0"))
    throw new Error(`it is called ${mediaType} and holds binary data; nothing of it can be shown`);
  const shown = isHtml && !isRaw ? await toMarkdown(text, url, signal) : text;
  return { text: shown.replace(/\r\n?/g, "\n"), mediaType };
}

/** A server that says nothing of what it sends mostly sends a page or text. */
function mediaTypeOf(contentType: string, bytes: Buffer): string {
  const named = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (/^[\w.+-]+\/[\w.+-]+$/.test(named)) return named;
  const head = bytes.subarray(0, 512);
  if (head.includes(0)) return "application/octet-stream";
  return /^\s*<(!doctype html|html|head|body)\b/i.test(head.toString("latin1")) ? "text/html" : "text/plain";
}

function decode(bytes: Buffer, contentType: string, isHtml: boolean): string {
  const named = /;\s*charset\s*=\s*["']?([\w:.-]+)/i.exec(contentType)?.[1];
  // In the first 1,024 bytes, as the HTML standard has it.
  const inPage = isHtml
    ? /<meta[^>]+charset\s*=\s*["']?([\w:.-]+)/i.exec(bytes.toString("latin1", 0, 1024))?.[1]
    : undefined;
  return decoderOf(byteOrderMark(bytes) ?? named ?? inPage ?? "utf-8").decode(bytes);
}

/** It says more surely than anybody what follows. */
function byteOrderMark(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? "utf-8" : undefined;
}

/** What nobody knows is read as most pages are. */
function decoderOf(name: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(name);
  } catch (error) {
    if (error instanceof RangeError) return new TextDecoder("utf-8");
    throw error;
  }
}

let loading: ReturnType<typeof load> | undefined;

async function toMarkdown(html: string, url: URL, signal: AbortSignal): Promise<string> {
  loading ??= load();
  const { MarkdownStream } = await loading;
  const stream = new MarkdownStream({ origin: url.origin, plugins: { filter: { exclude: LEFT_OUT } } });
  try {
    let markdown = "";
    for (let at = 0, end = 0; at < html.length; at = end) {
      signal.throwIfAborted();
      end = at + PIECE_CHARS;
      // Half of a character would be none.
      if (/[\uD800-\uDBFF]/.test(html[end - 1] ?? "")) end++;
      markdown += stream.processChunk(html.slice(at, end));
      await setImmediate();
    }
    return (markdown + stream.finish()).trim();
  } finally {
    stream.free();
  }
}

/** As WebAssembly: it reaches no memory but its own, and is the same on every machine. */
async function load() {
  const converter = await import("mdream/wasm");
  const module = await readFile(createRequire(import.meta.url).resolve("mdream/wasm/mdream_edge_bg.wasm"));
  converter.initSync({ module });
  return converter;
}
