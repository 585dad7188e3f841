import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { RequestService } from "../../gen/ts/parley/v1/request_service_pb.ts";
import { awaitRequest } from "../request/await-request.ts";
import { claimRequest } from "../request/claim-request.ts";
import { createRequest } from "../request/create-request.ts";
import { listRequests, placeOfRequest, type RequestPlace } from "../request/list-requests.ts";
import type { RequestDeps } from "../request/request-deps.ts";
import { getRequest, type StoredRequest } from "../request/request-store.ts";
import { respondRequest } from "../request/respond-request.ts";
import { cancelRequest, dismissRequest } from "../request/withdraw-request.ts";
import { getSession } from "../session/session-store.ts";
import { actorOf } from "./actor.ts";
import { MAX_PAGE_BYTES, readPage } from "./page.ts";
import {
  answerFromProto,
  kindsFromProto,
  questionFromProto,
  requestToProto,
  statesFromProto,
} from "./request-proto.ts";

const DEFAULT_WAIT_MS = 30_000;
const MAX_WAIT_MS = 120_000;
/** What is left of the caller's own deadline for the answer to arrive; less where the deadline is near. */
const MARGIN_MS = 500;

export function createRequestService(deps: RequestDeps): ServiceImpl<typeof RequestService> {
  const { db } = deps;
  return {
    createRequest: async (request, context) => {
      const { idempotencyKey, lifetime } = request;
      const lifetimeMs = lifetime === undefined ? undefined : Math.max(1, Math.round(durationMs(lifetime)));
      const question = questionFromProto(request);
      const asked = await createRequest(deps, { idempotencyKey, question, lifetimeMs, actor: actorOf(context) });
      return { request: requestToProto(asked) };
    },

    getRequest: async ({ requestId }) => ({ request: requestToProto(await getRequest(db, requestId)) }),

    listRequests: async (request) => {
      const { sessionId, rootSessionId } = request;
      const sessionKey = sessionId === "" ? undefined : (await getSession(db, sessionId)).key;
      const root = rootSessionId === "" ? undefined : await getSession(db, rootSessionId);
      const filter = {
        sessionKey,
        ...(root !== undefined && { root }),
        states: statesFromProto(request.states),
        kinds: kindsFromProto(request.kinds),
      };
      const list = {
        scope: { method: "ListRequests", args: [sessionId, rootSessionId, filter.states.join(), filter.kinds.join()] },
        defaultSize: 50,
        maxSize: 500,
        read: (after: RequestPlace | undefined, limit: number) =>
          listRequests(db, { filter, after, limit, maxBytes: MAX_PAGE_BYTES }),
        placeOf: placeOfRequest,
      };
      const { items, nextPageToken } = await readPage<StoredRequest, RequestPlace>(list, request);
      return { requests: items.map(requestToProto), nextPageToken };
    },

    awaitRequest: async ({ requestId, wait }, context) => {
      const waitMs = waitWithin(wait === undefined ? DEFAULT_WAIT_MS : durationMs(wait), context);
      return { request: requestToProto(await awaitRequest(deps, { requestId, waitMs, signal: context.signal })) };
    },

    respondRequest: async ({ requestId, idempotencyKey, answer }, context) => {
      const given = answerFromProto(answer);
      const response = { requestId, idempotencyKey, answer: given, actor: actorOf(context) };
      return { request: requestToProto(await respondRequest(deps, response)) };
    },

    dismissRequest: async ({ requestId, reason }, context) => {
      return { request: requestToProto(await dismissRequest(deps, { requestId, reason, actor: actorOf(context) })) };
    },

    cancelRequest: async ({ requestId, reason }, context) => {
      return { request: requestToProto(await cancelRequest(deps, { requestId, reason, actor: actorOf(context) })) };
    },

    claimRequest: async ({ requestId, claimed, takeOver }, context) => {
      const claim = { requestId, isClaimed: claimed, takesOver: takeOver, actor: actorOf(context) };
      return { request: requestToProto(await claimRequest(deps, claim)) };
    },
  };
}

/** How long a call may wait: always less than its caller does. */
function waitWithin(wantedMs: number, context: Pick<HandlerContext, "timeoutMs">): number {
  const leftMs = context.timeoutMs() ?? Infinity;
  return Math.max(0, Math.min(wantedMs, MAX_WAIT_MS, leftMs - Math.min(MARGIN_MS, leftMs / 10)));
}
