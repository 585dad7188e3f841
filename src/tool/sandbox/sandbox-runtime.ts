import { randomBytes } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import type { SandboxRuntimeConfig } from "@anthropic-ai/sandbox-runtime";
import type { SandboxPrograms } from "./sandbox-probe.ts";

/** What a command may touch. Absolute paths that are there; others are left out. */
export interface Walls {
  readonly writable: readonly string[];
  readonly unwritable: readonly string[];
  readonly unreadable: readonly string[];
  /** Hosts it may reach; empty = it has no network. */
  readonly hosts: readonly string[];
}

/** Walls that were made. */
export interface Built {
  /** For a POSIX shell: runs what `COMMAND_VARIABLE` holds inside of the walls. */
  readonly line: string;
  /** To be called when that has ended. */
  readonly cleanup: () => void;
}

/** The library that builds sandboxes. There is one in a process, whatever asks for it. */
export interface SandboxRuntime {
  /** Throws where there can be no such walls. */
  build(walls: Walls): Promise<Built>;
  close(): Promise<void>;
}

/**
 * What is to run is handed over in the environment and not in the line: so the walls of a workspace are made once, and not
 * again for each command.
 */
export const COMMAND_VARIABLE = "SANDBOXED_COMMAND";
const RUN_COMMAND = `_c=$${COMMAND_VARIABLE}; unset ${COMMAND_VARIABLE}; eval "$_c"`;

/** Whether a command line is one of those that make the walls, and not what runs inside: people need not read them. */
export function isSandboxPart(command: string): boolean {
  return /^\S*\/bwrap --new-session |SRT_ALLOW_NESTED_USERNS=|\/apply-seccomp \/bin\/sh -c _c=/.test(command);
}

/** So many walls are kept; those of a workspace are the same as long as nothing that they close was added, moved or removed. */
const MAX_KEPT = 64;

/** What the library makes for one command and takes away after it; a line without these can be used again. */
const MADE_FOR_ONE = /\/claude-empty-|srt-args/;

/** A program that does nothing and says that it did. */
const NOTHING = "/bin/true";

/** Loads it. Its proxies, which commands reach hosts through, are started only where there are hosts. */
export async function loadSandboxRuntime(programs: SandboxPrograms, hasNetwork: boolean): Promise<SandboxRuntime> {
  const { SandboxManager: manager } = await import("@anthropic-ai/sandbox-runtime");
  const base: SandboxRuntimeConfig = {
    network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: [], denyWrite: [] },
    // It would look for names to protect below the engine's own folder; those of the session's come with the walls.
    ripgrep: { command: NOTHING },
    ...(programs.kind === "bubblewrap" && { bwrapPath: programs.bwrap, socatPath: programs.socat || NOTHING }),
  };
  if (hasNetwork) await manager.initialize(base);
  else if (!manager.isSandboxingEnabled()) manager.updateConfig(base);
  const kept = new Map<string, Built>();

  async function make({ writable, unwritable, unreadable, hosts }: Walls): Promise<Built> {
    // What tells the proxies whose connection it is, and so what it may reach: to be guessed by nobody.
    const commandId = randomBytes(24).toString("base64url");
    if (hosts.length > 0) manager.registerCommandNetworkLists(commandId, { allowedDomains: [...hosts] });
    const filesystem = {
      denyRead: unreadable.map(literal),
      allowWrite: writable.map(literal),
      denyWrite: unwritable.map(literal),
    };
    const network = { allowedDomains: [], deniedDomains: [] };
    const line = await manager.wrapWithSandbox(RUN_COMMAND, "/bin/sh", { network, filesystem }, undefined, {
      commandId,
    });
    if (MADE_FOR_ONE.test(line)) return { line, cleanup: manager.cleanupAfterCommand };
    // There is nothing to clean up after each command.
    manager.cleanupAfterCommand();
    return { line, cleanup: () => undefined };
  }

  return {
    async build(walls) {
      const known = await identify(walls);
      const key = JSON.stringify(known);
      const before = kept.get(key);
      if (before !== undefined) {
        // The last to be forgotten now.
        kept.delete(key);
        kept.set(key, before);
        return before;
      }
      const built = await make({ ...walls, ...namesOf(known) });
      if (MADE_FOR_ONE.test(built.line)) return built;
      kept.set(key, built);
      const [oldest] = kept.keys();
      if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
      return built;
    },
    close: async () => {
      if (hasNetwork) await manager.reset();
    },
  };
}

interface Known {
  readonly path: string;
  /** Where it leads, and what is there. */
  readonly real: string;
  readonly isFolder: boolean;
}

type KnownWalls = Readonly<Record<"writable" | "unwritable" | "unreadable", readonly Known[]>>;

/** All that walls are made from, as it is now; walls that were made from the same are the same. */
async function identify({ writable, unwritable, unreadable }: Walls): Promise<KnownWalls> {
  return {
    writable: await identifyAll(writable),
    unwritable: await identifyAll(unwritable),
    unreadable: await identifyAll(unreadable),
  };
}

async function identifyAll(paths: readonly string[]): Promise<readonly Known[]> {
  return (await Promise.all(paths.map(identifyPath))).filter((known) => known !== undefined);
}

async function identifyPath(path: string): Promise<Known | undefined> {
  try {
    const real = await realpath(path);
    return { path, real, isFolder: (await stat(real)).isDirectory() };
  } catch {
    // Not there, or not to be reached: a command of the same user cannot either.
    return undefined;
  }
}

function namesOf(known: KnownWalls): Pick<Walls, keyof KnownWalls> {
  return {
    writable: known.writable.map(({ path }) => path),
    unwritable: known.unwritable.map(({ path }) => path),
    unreadable: known.unreadable.map(({ path }) => path),
  };
}

/** A path, and never a pattern. */
function literal(path: string): { path: string; literal: true } {
  return { path, literal: true };
}
