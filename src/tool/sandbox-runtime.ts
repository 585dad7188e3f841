import { randomBytes } from "node:crypto";
import type { SandboxRuntimeConfig } from "@anthropic-ai/sandbox-runtime";
import type { SandboxPrograms } from "./sandbox-probe.ts";

/** What a command may touch. Absolute paths. */
export interface Walls {
  readonly writable: readonly string[];
  readonly unwritable: readonly string[];
  readonly unreadable: readonly string[];
  /** Hosts it may reach; empty = it has no network. */
  readonly hosts: readonly string[];
}

/** A command line that runs inside of walls. */
export interface WalledCommand {
  /** For a POSIX shell. */
  readonly command: string;
  /** To be called once it has ended. */
  readonly cleanup: () => void;
}

/** The library that builds sandboxes. There is one in a process, whatever asks for it. */
export interface SandboxRuntime {
  /** `command` is for a POSIX shell. Throws where there can be no such walls. */
  wrap(command: string, walls: Walls): Promise<WalledCommand>;
  close(): Promise<void>;
}

/** A program that does nothing and says that it did. */
const NOTHING = "/bin/true";

/** Loads it. Its proxies, which commands reach hosts through, are started only where there are hosts. */
export async function loadSandboxRuntime(programs: SandboxPrograms, hasNetwork: boolean): Promise<SandboxRuntime> {
  const { SandboxManager: manager } = await import("@anthropic-ai/sandbox-runtime");
  const base: SandboxRuntimeConfig = {
    network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: [], denyWrite: [] },
    // It would look for names to protect below the engine's own folder; those of the session's come with each command.
    ripgrep: { command: NOTHING },
    ...(programs.kind === "bubblewrap" && { bwrapPath: programs.bwrap, socatPath: programs.socat || NOTHING }),
  };
  if (hasNetwork) await manager.initialize(base);
  else if (!manager.isSandboxingEnabled()) manager.updateConfig(base);

  return {
    async wrap(command, { writable, unwritable, unreadable, hosts }) {
      const config: Partial<SandboxRuntimeConfig> = {
        network: { allowedDomains: [], deniedDomains: [] },
        filesystem: {
          denyRead: unreadable.map(literal),
          allowWrite: writable.map(literal),
          denyWrite: unwritable.map(literal),
        },
      };
      // What tells the proxies whose connection it is, and so what it may reach: to be guessed by nobody.
      const commandId = randomBytes(24).toString("base64url");
      if (hosts.length > 0) manager.registerCommandNetworkLists(commandId, { allowedDomains: [...hosts] });
      try {
        const wrapped = await manager.wrapWithSandbox(command, "/bin/sh", config, undefined, { commandId });
        return { command: wrapped, cleanup: () => release(commandId) };
      } catch (error) {
        manager.unregisterCommandNetworkLists(commandId);
        throw error;
      }
    },
    close: async () => {
      if (hasNetwork) await manager.reset();
    },
  };

  function release(commandId: string): void {
    manager.unregisterCommandNetworkLists(commandId);
    manager.cleanupAfterCommand();
  }
}

/** A path, and never a pattern. */
function literal(path: string): { path: string; literal: true } {
  return { path, literal: true };
}
