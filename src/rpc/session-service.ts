import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { listMessagesBefore, type StoredMessage } from "../message/message-store.ts";
import type { ApprovalMode } from "../permission/approval-mode.ts";
import { createSession, type CreateSessionDeps } from "../session/create-session.ts";
import { deleteSession, type DeleteSessionDeps } from "../session/delete-session.ts";
import { getSession } from "../session/session-store.ts";
import { updateSession } from "../session/update-session.ts";
import { actorOf } from "./actor.ts";
import { createContextMethods } from "./context-methods.ts";
import { createFindMethods } from "./find-methods.ts";
import { createHistoryMethods } from "./history-methods.ts";
import { messagePages } from "./message-page.ts";
import { messageToProto } from "./message-proto.ts";
import { MAX_PAGE_BYTES, readPage } from "./page.ts";
import { ruleDraftFromProto } from "./permission-proto.ts";
import { changesFromProto, sessionToProto, settingsFromProto } from "./session-proto.ts";
import { createTransferMethods, type TransferDeps } from "./transfer-methods.ts";

export function createSessionService(
  deps: CreateSessionDeps &
    DeleteSessionDeps &
    Parameters<typeof createHistoryMethods>[0] &
    Parameters<typeof createContextMethods>[0] &
    Parameters<typeof createFindMethods>[0] &
    TransferDeps & {
      /** That of sessions for which nobody says one. */
      readonly defaultMode: ApprovalMode;
    },
): ServiceImpl<typeof SessionService> {
  const { db, profiles, defaultMode } = deps;
  return {
    ...createFindMethods(deps),
    ...createHistoryMethods(deps),
    ...createContextMethods(deps),
    ...createTransferMethods(deps),

    createSession: async (request, context) => {
      const { idempotencyKey, agent: agentName } = request;
      const settings = settingsFromProto(request);
      const rules = request.rules.map(ruleDraftFromProto);
      const session = await createSession(deps, {
        idempotencyKey,
        settings,
        agentName,
        rules,
        actor: actorOf(context),
      });
      return { session: sessionToProto(session, profiles) };
    },

    getSession: async ({ sessionId }) => ({ session: sessionToProto(await getSession(db, sessionId), profiles) }),

    updateSession: async (request, context) => {
      const { sessionId } = request;
      const session = await updateSession(deps, {
        sessionId,
        changes: changesFromProto(request, defaultMode),
        actor: actorOf(context),
      });
      return { session: sessionToProto(session, profiles) };
    },

    deleteSession: async ({ sessionId }, context) => {
      await deleteSession(deps, sessionId, actorOf(context));
      return {};
    },

    listMessages: async (request) => {
      const { id, key } = await getSession(db, request.sessionId);
      const list = {
        scope: messagePages(id),
        defaultSize: 100,
        maxSize: 1000,
        read: (place: number | undefined, limit: number) => listMessagesBefore(db, key, place, limit, MAX_PAGE_BYTES),
        placeOf: ({ seq }: StoredMessage) => seq,
      };
      const { items, nextPageToken } = await readPage(list, request);
      return { messages: items.map(messageToProto).toReversed(), nextPageToken };
    },
  };
}
