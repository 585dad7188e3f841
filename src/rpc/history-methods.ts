import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import type { BlobStore } from "../blob/blob-store.ts";
import { revertFiles, type RevertFilesDeps } from "../change/revert-files.ts";
import { appendMessage } from "../message/append-message.ts";
import { takeParts } from "../message/said-part.ts";
import { updateMessage } from "../message/update-message.ts";
import { clearHistory } from "../session/history/clear-history.ts";
import type { SessionDeps } from "../session/create-session.ts";
import type { CutHistoryDeps } from "../session/history/cut-history.ts";
import { rewindSession } from "../session/history/rewind-session.ts";
import { takeSnapshot } from "../session/snapshot.ts";
import { actorOf } from "./actor.ts";
import { revertToProto } from "./change-proto.ts";
import { authorFromProto, messageToProto, saidFromProto } from "./message-proto.ts";
import { pageSizeOf } from "./page.ts";
import { sessionToProto } from "./session-proto.ts";
import { snapshotToProto } from "./snapshot-proto.ts";

type HistoryMethods = Pick<
  ServiceImpl<typeof SessionService>,
  "getSnapshot" | "appendMessage" | "updateMessage" | "clearHistory" | "rewindSession" | "revertFiles"
>;

/** What shows and changes what was said in a session. */
export function createHistoryMethods(
  deps: SessionDeps & CutHistoryDeps & RevertFilesDeps & { readonly blobs: BlobStore; readonly logEpoch: string },
): HistoryMethods {
  const { profiles } = deps;
  return {
    getSnapshot: async ({ sessionId, pageSize }) => {
      const maxMessages = pageSizeOf(pageSize, { defaultSize: 100, maxSize: 1000 });
      return snapshotToProto(await takeSnapshot(deps, { sessionId, maxMessages }), deps);
    },

    appendMessage: async ({ sessionId, idempotencyKey, role, parts }, context) => {
      const taken = await takeParts(deps.blobs, saidFromProto(parts));
      const said = { role: authorFromProto(role), parts: taken, actor: actorOf(context) };
      return { message: messageToProto(await appendMessage(deps, { sessionId, idempotencyKey, ...said })) };
    },

    updateMessage: async ({ sessionId, messageId, parts }, context) => {
      const taken = await takeParts(deps.blobs, saidFromProto(parts));
      const edit = { sessionId, messageId, parts: taken, actor: actorOf(context) };
      return { message: messageToProto(await updateMessage(deps, edit)) };
    },

    clearHistory: async ({ sessionId }, context) => {
      const session = await clearHistory(deps, { sessionId, actor: actorOf(context) });
      return { session: sessionToProto(session, profiles) };
    },

    rewindSession: async ({ sessionId, messageId }, context) => {
      const rewound = await rewindSession(deps, { sessionId, messageId, actor: actorOf(context) });
      return { session: sessionToProto(rewound.session, profiles), firstMessageId: rewound.firstMessageId };
    },

    revertFiles: async ({ sessionId, turnId, preview, idempotencyKey }, context) => {
      const request = { sessionId, turnId, isPreview: preview, idempotencyKey, actor: actorOf(context) };
      return revertToProto(await revertFiles(deps, request));
    },
  };
}
