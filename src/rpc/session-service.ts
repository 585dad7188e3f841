import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { listMessagesBefore } from "../message/message-store.ts";
import { createSession, type SessionDeps } from "../session/create-session.ts";
import { deleteSession, type DeleteSessionDeps } from "../session/delete-session.ts";
import { getSession, listSessionsBefore } from "../session/session-store.ts";
import { updateSession } from "../session/update-session.ts";
import { actorOf } from "./actor.ts";
import { messageToProto } from "./message-proto.ts";
import { cutPage, fromPageToken, pageSize, toPageToken } from "./page.ts";
import { changesFromProto, sessionToProto, settingsFromProto } from "./session-proto.ts";

/** A page of messages ends before it gets larger than this, so that every client can take it. */
const MAX_PAGE_BYTES = 2 * 1024 * 1024;

export function createSessionService(deps: SessionDeps & DeleteSessionDeps): ServiceImpl<typeof SessionService> {
  const { db, profiles } = deps;
  return {
    createSession: async (request) => {
      const settings = settingsFromProto(request);
      const session = await createSession(deps, { idempotencyKey: request.idempotencyKey, settings });
      return { session: sessionToProto(session, profiles) };
    },

    getSession: async ({ sessionId }) => ({ session: sessionToProto(await getSession(db, sessionId), profiles) }),

    listSessions: async (request) => {
      const scope = { method: "ListSessions", args: [] };
      const size = pageSize(request.pageSize, 50, 500);
      const found = await listSessionsBefore(db, fromPageToken(scope, request.pageToken), size + 1);
      const { page, hasMore } = cutPage(found, size);
      return {
        sessions: page.map((session) => sessionToProto(session, profiles)),
        nextPageToken: hasMore ? toPageToken(scope, page.at(-1)?.key ?? 0) : "",
      };
    },

    updateSession: async (request, context) => {
      const { sessionId } = request;
      const session = await updateSession(deps, {
        sessionId,
        changes: changesFromProto(request),
        actor: actorOf(context),
      });
      return { session: sessionToProto(session, profiles) };
    },

    deleteSession: async ({ sessionId }) => {
      await deleteSession(deps, sessionId);
      return {};
    },

    listMessages: async (request) => {
      const session = await getSession(db, request.sessionId);
      const scope = { method: "ListMessages", args: [session.id] };
      const size = pageSize(request.pageSize, 100, 1000);
      const before = fromPageToken(scope, request.pageToken);
      const found = await listMessagesBefore(db, session.key, before, size, MAX_PAGE_BYTES);
      const oldest = found.at(-1);
      const older =
        oldest === undefined ? [] : await listMessagesBefore(db, session.key, oldest.seq, 1, MAX_PAGE_BYTES);
      return {
        messages: found.map(messageToProto).toReversed(),
        nextPageToken: oldest !== undefined && older.length > 0 ? toPageToken(scope, oldest.seq) : "",
      };
    },
  };
}
