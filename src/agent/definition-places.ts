import { constants, lstatSync, readdirSync } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "../errors.ts";
import type { Files } from "../workspace/files.ts";
import type { AgentSource } from "./agent.ts";

export const SUFFIX = ".md";

/** Where definitions are in a workspace. */
const IN_WORKSPACE = ".parley/agents";

/** More in one place are not looked at: nobody chooses among so many. */
const MAX_DEFINITIONS = 500;

/** Room for the largest instructions, with their settings. */
const MAX_BYTES = 320 * 1024;

const TOO_LARGE = `the file is larger than ${MAX_BYTES / 1024} KiB`;
const NO_FILE = "it is no file";

/** A file's text, or why there is none. */
export type ReadText = { readonly text: string } | { readonly text?: undefined; readonly problem: string };

/** A folder with definitions. */
export interface Place {
  readonly source: AgentSource;
  /** How a person is told where it is. */
  readonly shown: string;
  /** The path of a definition: absolute. */
  pathOf(name: string): string;
  /** The names of those that there are. */
  list(): Promise<readonly string[]>;
  /** Undefined = there is none of this name. */
  read(name: string): Promise<ReadText | undefined>;
}

/**
 * The folder of the engine's owner, who may link to files elsewhere. What lies on the engine's own disk, which the store waits for
 * too, is looked at at once: to ask another thread takes a millisecond of the time to the first token.
 */
export function placeOfOwner(dataDir: string): Place {
  const folder = join(dataDir, "agents");
  const pathOf = (name: string): string => join(folder, name + SUFFIX);
  const readKept = createKeptReads();
  return {
    source: "data_dir",
    shown: "agents",
    pathOf,
    async list() {
      try {
        const isLink = lstatSync(folder).isSymbolicLink();
        return namesIn(isLink ? await readdir(folder) : readdirSync(folder));
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
    async read(name) {
      try {
        return await readKept(pathOf(name));
      } catch (error) {
        if (isMissing(error)) return undefined;
        const { code = "unknown" } = error as NodeJS.ErrnoException;
        return { problem: `the engine cannot read it (${code})` };
      }
    },
  };
}

/** Texts that were read are kept until their file changes: the list of agents is asked for with each model call. */
function createKeptReads(): (path: string) => Promise<ReadText> {
  const kept = new Map<string, { readonly stamp: string; readonly read: ReadText }>();
  return async (path) => {
    const own = lstatSync(path, { bigint: true });
    const { ino, size, ctimeNs } = own.isSymbolicLink() ? await stat(path, { bigint: true }) : own;
    const stamp = [ino, size, ctimeNs].join(" ");
    const before = kept.get(path);
    if (before?.stamp === stamp) return before.read;
    const read = await readOwn(path);
    if (kept.size >= MAX_DEFINITIONS) kept.clear();
    kept.set(path, { stamp, read });
    return read;
  };
}

async function readOwn(path: string): Promise<ReadText> {
  // Without O_NONBLOCK, a FIFO of this name is waited for.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) return { problem: NO_FILE };
    return stats.size > MAX_BYTES ? { problem: TOO_LARGE } : { text: await handle.readFile("utf8") };
  } finally {
    await handle.close();
  }
}

/** The folder of a workspace, reached as its tools reach files. */
export function placeOfWorkspace(files: Pick<Files, "read" | "walk">, workspace: string): Place {
  return {
    source: "workspace",
    shown: IN_WORKSPACE,
    pathOf: (name) => join(workspace, IN_WORKSPACE, name + SUFFIX),
    async list() {
      const names: string[] = [];
      const options = { maxDepth: 1, respectIgnore: false, signal: new AbortController().signal };
      try {
        for await (const { name } of files.walk(workspace, IN_WORKSPACE, options)) names.push(name);
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      return namesIn(names);
    },
    async read(name) {
      try {
        const { bytes } = await files.read(workspace, `${IN_WORKSPACE}/${name}${SUFFIX}`);
        return bytes.length > MAX_BYTES ? { problem: TOO_LARGE } : { text: bytes.toString("utf8") };
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return error.reason === "PATH_NOT_FOUND" ? undefined : { problem: error.message };
      }
    },
  };
}

function namesIn(fileNames: readonly string[]): readonly string[] {
  return fileNames
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .toSorted()
    .slice(0, MAX_DEFINITIONS);
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** There is no such folder, or it may not be reached: then it holds no definitions. */
function isRefusal(error: unknown): error is DomainError {
  return error instanceof DomainError && error.reason.startsWith("PATH");
}
