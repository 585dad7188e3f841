import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { EngineService } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { Backups } from "../backup/backups.ts";
import type { Clock } from "../clock.ts";
import type { EventLog } from "../event/event-log.ts";
import type { Profiles } from "../profile/profile.ts";
import type { RequestFeed } from "../request/request-changes.ts";
import { countOpen } from "../request/request-store.ts";
import type { SessionFeed } from "../session/list/session-feed.ts";
import { countSessions } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import type { Tokens } from "../token/tokens.ts";
import type { Sandbox } from "../tool/sandbox/sandbox.ts";
import type { OfferedTool } from "../tool/tool.ts";
import type { TurnRunner } from "../turn/turn-runner.ts";
import { createAuditMethods } from "./audit-methods.ts";
import { createBackupMethods } from "./backup-methods.ts";
import { createWatchMethods } from "./engine-watch.ts";
import { profileToProto } from "./profile-proto.ts";
import { sandboxToProto } from "./sandbox-proto.ts";
import { sessionStateToProto } from "./session-proto.ts";
import { createTokenMethods } from "./token-methods.ts";

export interface EngineServiceDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly runner: TurnRunner;
  readonly profiles: Profiles;
  readonly tools: readonly OfferedTool[];
  readonly sandbox: Pick<Sandbox, "state">;
  readonly version: string;
  readonly logEpoch: string;
  readonly startTimeMs: number;
  readonly tokens: Tokens;
  readonly backups: Backups;
  readonly feed: SessionFeed;
  readonly requestFeed: RequestFeed;
  readonly clock: Clock;
}

export function createEngineService(deps: EngineServiceDeps): ServiceImpl<typeof EngineService> {
  const { db, profiles, version, logEpoch } = deps;
  const startTime = timestampFromMs(deps.startTimeMs);
  return {
    ...createTokenMethods(deps),
    ...createBackupMethods(deps),
    ...createAuditMethods(deps),
    ...createWatchMethods(deps),

    getInfo: async () => ({
      version,
      logEpoch,
      startTime,
      tools: deps.tools.map((tool) => tool.name),
      sandbox: sandboxToProto(await deps.sandbox.state()),
    }),

    getStatus: async () => {
      const counts = await countSessions(db);
      return {
        version,
        sessionCounts: counts.map(({ state, count }) => ({ state: sessionStateToProto(state), count: BigInt(count) })),
        runningTurns: deps.runner.count(),
        profiles: profiles.list().map((profile) => profileToProto(profile, profiles)),
        storeBytes: BigInt(await db.size()),
        readers: deps.log.readerCount() + deps.feed.readerCount(),
        memoryBytes: BigInt(process.memoryUsage.rss()),
        startTime,
        openRequests: await countOpen(db),
        sandbox: sandboxToProto(await deps.sandbox.state()),
      };
    },
  };
}
