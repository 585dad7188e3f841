import type { Agents } from "../agent/definitions.ts";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Clock } from "../clock.ts";
import type { EventLog } from "../event/event-log.ts";
import type { Hooks } from "../hook/hooks.ts";
import type { NewId } from "../id.ts";
import type { ModelCache } from "../model/model-cache.ts";
import type { ProtectedPaths } from "../permission/protected-paths.ts";
import type { Profiles } from "../profile/profile.ts";
import type { RequestBells } from "../request/request-bells.ts";
import type { Database } from "../store/database.ts";
import type { Titles } from "../title/titles.ts";
import type { OfferedTool } from "../tool/tool.ts";
import type { WorkspaceInstructions } from "../workspace/agents-file.ts";

/** What turns need of the engine. */
export interface TurnDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly profiles: Profiles;
  readonly models: ModelCache;
  readonly tools: readonly OfferedTool[];
  /** The definitions that agents are started by. */
  readonly agents: Agents;
  /** What messages show, what is too large for them, and what files were. */
  readonly blobs: Pick<BlobStore, "get" | "read" | "write">;
  readonly workspaceInstructions: WorkspaceInstructions;
  readonly protectedPaths: ProtectedPaths;
  /** Of those who wait for requests that a turn ends. */
  readonly bells: Pick<RequestBells, "ring">;
  /** Asked before calls, and told after them. */
  readonly hooks: Pick<Hooks, "ask" | "list" | "tell">;
  readonly titles: Pick<Titles, "begin">;
  /** For jitter; between 0 and 1. */
  readonly random: () => number;
  /** Told of failures that nobody foresaw. */
  readonly onBug: (what: string, error: unknown) => void;
}
