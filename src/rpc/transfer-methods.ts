import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import type { Profiles } from "../profile/profile.ts";
import { batchDelete, type BatchDeleteDeps } from "../session/batch-delete.ts";
import { exportSessions } from "../session/transfer/export-sessions.ts";
import { forkSession, type ForkSessionDeps } from "../session/history/fork-session.ts";
import { importSessions, type ImportSessionsDeps } from "../session/transfer/import-sessions.ts";
import { actorOf } from "./actor.ts";
import { sessionToProto } from "./session-proto.ts";

export type TransferDeps = BatchDeleteDeps & ForkSessionDeps & ImportSessionsDeps & { readonly profiles: Profiles };

type TransferMethods = Pick<
  ServiceImpl<typeof SessionService>,
  "batchDeleteSessions" | "forkSession" | "exportSessions" | "importSessions"
>;

/** Sessions copied, taken out and brought in. */
export function createTransferMethods(deps: TransferDeps): TransferMethods {
  return {
    batchDeleteSessions: async ({ sessionIds }, context) => {
      const { deletedIds, failures } = await batchDelete(deps, sessionIds, actorOf(context));
      return { deletedIds: [...deletedIds], failures: [...failures] };
    },

    forkSession: async ({ sessionId, idempotencyKey, beforeMessageId, title }, context) => {
      const request = { sessionId, idempotencyKey, beforeMessageId, title, actor: actorOf(context) };
      return { session: sessionToProto(await forkSession(deps, request), deps.profiles) };
    },

    async *exportSessions({ sessionIds }, context) {
      for await (const data of exportSessions(deps, sessionIds, actorOf(context))) yield { data };
    },

    importSessions: async ({ idempotencyKey, blobs }, context) => {
      const imported = await importSessions(deps, { idempotencyKey, blobs, actor: actorOf(context) });
      return {
        sessionCount: BigInt(imported.sessionCount),
        messageCount: BigInt(imported.messageCount),
        renamed: [...imported.renamed],
        sessionIds: [...imported.sessionIds],
      };
    },
  };
}
