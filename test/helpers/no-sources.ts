import { agentNotFound } from "../../src/agent/agent.ts";
import { blobNotFound } from "../../src/blob/blob.ts";
import { DomainError } from "../../src/errors.ts";
import type { TurnDeps } from "../../src/turn/turn-deps.ts";

const blobs: TurnDeps["blobs"] = {
  get: async (sha256) => {
    throw blobNotFound(sha256);
  },
  read: async ({ sha256 }) => {
    throw blobNotFound(sha256);
  },
  write: async () => {
    throw new DomainError("exhausted", "STORAGE_FULL", "this test keeps no blobs");
  },
};

const agents: TurnDeps["agents"] = {
  list: async () => [],
  get: async (name) => {
    throw agentNotFound(name, "there are none in this test");
  },
};

/** What model calls take besides the conversation: no pictures or files, nothing is kept, no agents, and workspaces that say nothing. */
export const NO_SOURCES: Pick<TurnDeps, "blobs" | "workspaceInstructions" | "agents"> = {
  blobs,
  agents,
  workspaceInstructions: { read: async () => "" },
};
