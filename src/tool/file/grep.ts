import type { JsonObject } from "../../message/message.ts";
import type { Files } from "../../workspace/files.ts";
import { hasReason, systemRefusal } from "../../workspace/path-refused.ts";
import { openRegular } from "../../workspace/safe-file.ts";
import { checkNames, findCount, findFlag, findText, readText } from "./file-arguments.ts";
import { assessRead } from "./file-assessment.ts";
import type { Tool, ToolContext } from "../tool.ts";
import { createNameMatcher } from "./name-matcher.ts";
import type { Line, OpenedFile, Search } from "./search.ts";
import { createLibrarySearch } from "./search-library.ts";
import type { ReaderWrap } from "../sandbox/sandbox.ts";
import { createRipgrepSearch, unwrapped } from "./search-ripgrep.ts";

const MAX_SHOWN = 1000;
const MAX_DEPTH = 64;
const MAX_LINE_CHARS = 300;
const MAX_PATTERN_CHARS = 1000;

/** Searched at once; each is an open descriptor. */
const BATCH = 256;

/** A search that takes longer tells what it has found so far. */
const MAX_SEARCH_MS = 20_000;

const properties = {
  pattern: {
    type: "string",
    description: "A regular expression (RE2: no look-around, no back-references), matched line by line.",
  },
  path: { type: "string", description: "The folder to look in, relative to the workspace. Left out = the workspace." },
  glob: { type: "string", description: "Only files whose paths match, such as *.ts." },
  ignore_case: { type: "boolean", description: "True = capital and small letters are the same." },
  max_results: {
    type: "integer",
    minimum: 1,
    maximum: MAX_SHOWN,
    description: "How many lines at most. Left out = 200.",
  },
  include_ignored: { type: "boolean", description: "True = also what .gitignore leaves out." },
};

/**
 * The tool `grep`: finds lines by a regular expression; with ripgrep where `findRipgrep` finds it, run as `wrap` has it, else with
 * a library.
 */
export function createGrepTool(
  files: Files,
  findRipgrep: () => Promise<string | undefined>,
  wrap: ReaderWrap = unwrapped,
): Tool {
  return {
    name: "grep",
    description:
      "Finds lines in the text files of the workspace: `path:line: text`. What .gitignore leaves out is left out.",
    parameters: { type: "object", properties, required: ["pattern"], additionalProperties: false },
    assess: (args, place) => assessRead(files, place, readArguments(args).path),
    run: async (args, context) => {
      const request = readArguments(args);
      const ripgrep = await findRipgrep();
      const search = await (ripgrep === undefined
        ? createLibrarySearch(request)
        : createRipgrepSearch(ripgrep, request, wrap));
      const time = AbortSignal.timeout(MAX_SEARCH_MS);
      const signal = AbortSignal.any([context.signal, time]);
      const shown: string[] = [];
      try {
        await searchFiles(files, request, { ...context, signal }, search, shown);
      } catch (error) {
        context.signal.throwIfAborted();
        if (!time.aborted) throw error;
        shown.push(`[stopped after ${MAX_SEARCH_MS / 1000} s; name a folder, or give a glob]`);
      }
      return { text: shown.length === 0 ? "[no line matches]" : shown.join("\n") };
    },
  };
}

function readArguments(args: JsonObject) {
  checkNames(args, properties);
  const pattern = readText(args, "pattern");
  if (pattern === "") throw new Error("the pattern is empty");
  if (pattern.length > MAX_PATTERN_CHARS) throw new Error(`the pattern has more than ${MAX_PATTERN_CHARS} characters`);
  if (/[\n\r\0]/.test(pattern)) throw new Error("the pattern holds the end of a line; lines are searched one by one");
  return {
    pattern,
    path: findText(args, "path") ?? ".",
    glob: findText(args, "glob"),
    ignoreCase: findFlag(args, "ignore_case"),
    maxResults: findCount(args, "max_results", MAX_SHOWN) ?? 200,
    respectIgnore: !findFlag(args, "include_ignored"),
  };
}

/** Adds to `shown` until there is enough. Files are opened as they are walked to, and searched by their descriptors: no path is looked up twice. */
async function searchFiles(
  files: Files,
  { path, glob, maxResults, respectIgnore }: ReturnType<typeof readArguments>,
  { workspace, signal }: ToolContext,
  search: Search,
  shown: string[],
): Promise<void> {
  const matches = glob === undefined ? () => true : await createNameMatcher(glob);
  const { path: folder } = await files.locate(workspace, path, "read");
  let batch: OpenedFile[] = [];
  const flush = async (): Promise<boolean> => {
    try {
      const lines = batch.length === 0 ? [] : await search(batch, maxResults - shown.length + 1, signal);
      for (const line of lines) shown.push(showLine(line));
    } finally {
      await closeAll(batch.splice(0));
    }
    if (shown.length <= maxResults) return false;
    shown.splice(maxResults, shown.length, `[more than ${maxResults} lines; use a narrower pattern]`);
    return true;
  };
  try {
    for await (const found of files.walk(workspace, path, { maxDepth: MAX_DEPTH, respectIgnore, signal })) {
      if (found.kind !== "file" || !matches(folder, `${workspace}/${found.path}`)) continue;
      const handle = await openRegular(files.guard, workspace, found.folder, {
        name: found.name,
        given: found.path,
      }).catch(skipUnreadable);
      if (handle === undefined) continue;
      batch.push({ path: found.path, handle });
      if (batch.length === BATCH && (await flush())) return;
    }
    await flush();
  } finally {
    await closeAll(batch);
  }
}

/** A file that is gone, changed or may not be read holds nothing that could be found. */
function skipUnreadable(error: unknown): undefined {
  const refusal = systemRefusal(error, "");
  const isNone = ["PATH_NOT_FOUND", "PATH_CHANGED", "PATH_NOT_A_FILE", "PATH_PROTECTED", "PATH_FAILED"] as const;
  if (!isNone.some((reason) => hasReason(refusal, reason))) throw error;
}

async function closeAll(batch: readonly OpenedFile[]): Promise<void> {
  await Promise.all(batch.map(({ handle }) => handle.close()));
}

function showLine({ path, number, text }: Line): string {
  const cut = text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS).toWellFormed()}...` : text;
  return `${path}:${number}: ${cut}`;
}
