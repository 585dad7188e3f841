import { isUtf8 } from "node:buffer";
import { type Stats, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "../errors.ts";
import type { Files } from "./files.ts";
import { hasReason } from "./path-refused.ts";
import { isOwnWorkspace } from "./safe-path.ts";

/** The file in which people tell agents how to work in a folder. Source: https://agents.md */
export const AGENTS_FILE = "AGENTS.md";

/** What is longer would be sent with every model call. */
const MAX_BYTES = 64 * 1024;

/** Of so many workspaces the text is kept in memory. */
const MAX_KEPT = 100;

/** What a workspace says to the agents that work in it. */
export interface WorkspaceInstructions {
  /** As a model is told it, named as what it is; empty = nothing. Never throws for what is in the folder. */
  read(workspace: string): Promise<string>;
}

/** Looks at the file for each call, and reads it where it is another than before. */
export function createWorkspaceInstructions({ read, guard }: Pick<Files, "read" | "guard">): WorkspaceInstructions {
  const kept = new Map<string, { readonly mark: string; readonly text: string }>();

  function keep(workspace: string, stats: Stats, text: string): string {
    kept.delete(workspace);
    kept.set(workspace, { mark: markOf(stats), text });
    const [oldest] = kept.keys();
    if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
    return text;
  }

  return {
    async read(workspace) {
      if (workspace === "" || !guard.allowsWorkspace(workspace)) return "";
      // Follows links, unlike the walk: it only tells whether there is something to walk to.
      const path = join(workspace, AGENTS_FILE);
      // The engine's own disk, which the store waits for too: no other thread need be waited for before the first token.
      const found = isOwnWorkspace(guard, workspace) ? lookAtOnce(path) : await look(path);
      if (typeof found === "string") return found;
      const before = kept.get(workspace);
      if (before?.mark === markOf(found)) return before.text;
      try {
        const file = await read(workspace, AGENTS_FILE);
        return keep(workspace, file.stats, describe(file.bytes));
      } catch (error) {
        if (hasReason(error, "PATH_NOT_FOUND")) return "";
        if (!(error instanceof DomainError)) throw error;
        return keep(workspace, found, notUsed(error.message.replace(`${AGENTS_FILE}: `, "")));
      }
    },
  };
}

/** What changes with every change of a file. */
function markOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join();
}

function lookAtOnce(path: string): Stats | string {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? "";
  } catch (error) {
    return wordFor(error);
  }
}

/** What a path leads to; a word for the model, or none, where it leads to nothing. */
async function look(path: string): Promise<Stats | string> {
  try {
    return await stat(path);
  } catch (error) {
    return wordFor(error);
  }
}

function wordFor(error: unknown): string {
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR" ? "" : notUsed(`the system refused (${code})`);
}

function notUsed(why: string): string {
  return `The workspace has an ${AGENTS_FILE} that is not used: ${why}.`;
}

function describe(bytes: Buffer): string {
  if (!isUtf8(bytes)) return notUsed("it is not UTF-8 text");
  const isLong = bytes.length > MAX_BYTES;
  const text = (isLong ? cut(bytes) : bytes.toString("utf8")).replace(/^\uFEFF/, "").trim();
  if (text === "") return "";
  const rest = isLong
    ? `\n\n[${AGENTS_FILE} has ${bytes.length} bytes; what comes after ${MAX_BYTES} is left out]`
    : "";
  return `The workspace's ${AGENTS_FILE} says:\n\n${text}${rest}`;
}

/** Never half a character. */
function cut(bytes: Buffer): string {
  return bytes
    .subarray(0, MAX_BYTES)
    .toString("utf8")
    .replace(/\uFFFD$/, "");
}
