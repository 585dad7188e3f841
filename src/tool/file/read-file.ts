import type { JsonObject } from "../../message/message.ts";
import type { Files } from "../../workspace/files.ts";
import { checkNames, findCount, readText } from "./file-arguments.ts";
import { assessRead } from "./file-assessment.ts";
import { imageType, textOf } from "./file-text.ts";
import type { Tool, ToolResult } from "../tool.ts";

const MAX_LINES = 2000;
const MAX_CHARS = 48 * 1024;

/** What providers take of one picture. */
const MAX_IMAGE_BYTES = 5 * 1024 * 1024;

const properties = {
  path: { type: "string", description: "The file, relative to the workspace." },
  start_line: { type: "integer", minimum: 1, description: "The first line to read. Left out = 1." },
  line_count: {
    type: "integer",
    minimum: 1,
    description: `How many lines to read. Left out, or more = as many as fit, at most ${MAX_LINES}.`,
  },
};

/** The tool `read_file`: text by lines, and pictures. */
export function createReadFileTool(files: Files): Tool {
  return {
    name: "read_file",
    description:
      "Reads a file of the workspace. Text comes exactly as it is in the file; of a long file, a part, and then what to ask for next. A picture (PNG, JPEG, GIF, WebP) is shown.",
    parameters: { type: "object", properties, required: ["path"], additionalProperties: false },
    assess: (args, place) => assessRead(files, place, readArguments(args).path),
    run: async (args, { workspace }) => {
      const { path, startLine, lineCount } = readArguments(args);
      const { bytes } = await files.read(workspace, path);
      const text = textOf(bytes);
      if (text !== undefined) return { text: linesOf(text, startLine, lineCount) };
      return readBinary(path, bytes);
    },
  };
}

function readArguments(args: JsonObject) {
  checkNames(args, properties);
  return {
    path: readText(args, "path"),
    startLine: findCount(args, "start_line", Number.MAX_SAFE_INTEGER) ?? 1,
    lineCount: findCount(args, "line_count", MAX_LINES) ?? MAX_LINES,
  };
}

function readBinary(path: string, bytes: Buffer): ToolResult {
  const mediaType = imageType(bytes);
  if (mediaType === undefined) {
    throw new Error(`${path}: it is a binary file of ${bytes.length} bytes; only text and pictures can be read`);
  }
  if (bytes.length > MAX_IMAGE_BYTES) {
    throw new Error(`${path}: the picture has ${bytes.length} bytes; the model takes at most ${MAX_IMAGE_BYTES}`);
  }
  return { text: `${path}: a picture (${mediaType}, ${bytes.length} bytes)`, images: [{ mediaType, bytes }] };
}

function linesOf(text: string, startLine: number, lineCount: number): string {
  if (text === "") return "[the file is empty]";
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  if (startLine > lines.length) throw new Error(`start_line is ${startLine}, but the file has ${lines.length} lines`);
  const asked = lines.slice(startLine - 1, startLine - 1 + lineCount);
  let shown = "";
  let count = 0;
  for (const line of asked) {
    if (count > 0 && shown.length + line.length > MAX_CHARS) break;
    shown += line;
    count++;
  }
  const isCut = shown.length > MAX_CHARS;
  const last = startLine - 1 + count;
  const part = isCut
    ? `${shown.slice(0, MAX_CHARS).replace(/[\uD800-\uDBFF]$/, "")}\n[line ${last} is longer; the rest of it is not shown]`
    : shown;
  if (startLine === 1 && last === lines.length && !isCut) return part;
  const next = last < lines.length ? `; read on with start_line ${last + 1}` : "";
  return `${part}${part.endsWith("\n") ? "" : "\n"}[lines ${startLine} to ${last} of ${lines.length}${next}]`;
}
