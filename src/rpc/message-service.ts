import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type MessageService,
  type SendMessageRequest,
  SendMessageResponseSchema,
  type StartTurnRequest,
  WatchSessionResponseSchema,
} from "../../gen/ts/parley/v1/message_service_pb.ts";
import type { Part } from "../../gen/ts/parley/v1/message_pb.ts";
import type { BlobStore } from "../blob/blob-store.ts";
import { DomainError } from "../errors.ts";
import { takeParts } from "../message/said-part.ts";
import { getSession } from "../session/session-store.ts";
import { cancelTurn, type CancelTurnDeps } from "../turn/cancel-turn.ts";
import { followUp, removeQueued } from "../turn/queue/queue.ts";
import { listQueueAfter, placeInQueue } from "../turn/queue/queue-store.ts";
import { retryTurn, startTurn, type StartTurnDeps } from "../turn/start-turn.ts";
import { steer } from "../turn/queue/steer.ts";
import { getTurn, listTurnsBefore, type StoredTurn } from "../turn/turn-store.ts";
import { actorOf } from "./actor.ts";
import { isTurnOver } from "./event-codec.ts";
import { saidFromProto } from "./message-proto.ts";
import { MAX_PAGE_BYTES, readPage } from "./page.ts";
import { framingFromProto, wholeQueuedToProto } from "./queue-proto.ts";
import { turnToProto } from "./turn-proto.ts";
import { readyFramesOf } from "./ready-frames.ts";
import { createResponder, watch, type WatchDeps } from "./watch.ts";

const DEFAULT_CANCEL_WAIT_MS = 10_000;
const MAX_KILLED_TOLD = 1000;

export function createMessageService(
  deps: StartTurnDeps & WatchDeps & { readonly blobs: BlobStore } & CancelTurnDeps,
): ServiceImpl<typeof MessageService> {
  const taken = (parts: readonly Part[]) => takeParts(deps.blobs, saidFromProto(parts));

  async function turnRequest(request: SendMessageRequest | StartTurnRequest) {
    const { sessionId, idempotencyKey, parts, model, expectedTurnId } = request;
    return { sessionId, idempotencyKey, parts: await taken(parts), model, expectedTurnId };
  }

  return {
    async *sendMessage(request, context) {
      const turn = await startTurn(deps, { ...(await turnRequest(request)), actor: actorOf(context) });
      yield* watch(deps, {
        sessionId: turn.sessionId,
        afterSeq: turn.firstSeq - 1,
        signal: context.signal,
        ready: readyFramesOf(context),
        toResponse: createResponder(() => create(SendMessageResponseSchema), typeOf(context)),
        isLast: (entry) => isTurnOver(entry, turn.id),
      });
    },

    startTurn: async (request, context) => {
      const turn = await startTurn(deps, { ...(await turnRequest(request)), actor: actorOf(context) });
      return { turn: turnToProto(turn) };
    },

    watchSession: ({ sessionId, afterSeq, logEpoch }, context) => {
      if (logEpoch !== undefined && logEpoch !== deps.logEpoch) throw logChanged(deps.logEpoch);
      return watch(deps, {
        sessionId,
        afterSeq: Number(afterSeq),
        signal: context.signal,
        ready: readyFramesOf(context),
        toResponse: createResponder(() => create(WatchSessionResponseSchema), typeOf(context)),
      });
    },

    getTurn: async ({ sessionId, turnId }) => {
      await getSession(deps.db, sessionId);
      return { turn: turnToProto(await getTurn(deps.db, sessionId, turnId)) };
    },

    listTurns: async (request) => {
      const { id, key } = await getSession(deps.db, request.sessionId);
      const list = {
        scope: { method: "ListTurns", args: [id] },
        defaultSize: 50,
        maxSize: 500,
        read: (place: number | undefined, limit: number) => listTurnsBefore(deps.db, key, place, limit),
        placeOf: ({ firstSeq }: StoredTurn) => firstSeq,
      };
      const { items, nextPageToken } = await readPage(list, request);
      return { turns: items.map(turnToProto), nextPageToken };
    },

    cancelTurn: async ({ sessionId, turnId, wait }) => {
      const waitMs = wait === undefined ? DEFAULT_CANCEL_WAIT_MS : durationMs(wait);
      const { turn, killed } = await cancelTurn(deps, { sessionId, turnId, waitMs });
      return {
        turn: turnToProto(turn),
        killedProcesses: killed.slice(0, MAX_KILLED_TOLD).map((process) => ({ ...process })),
      };
    },

    steer: async ({ sessionId, idempotencyKey, parts, framing, expectedTurnId }, context) => {
      const said = { sessionId, idempotencyKey, parts: await taken(parts), actor: actorOf(context) };
      const { id, position, duplicate } = await steer(deps, {
        ...said,
        framing: framingFromProto(framing),
        expectedTurnId,
      });
      return { queuedId: id, position, duplicate };
    },

    followUp: async ({ sessionId, idempotencyKey, parts }, context) => {
      const said = { sessionId, idempotencyKey, parts: await taken(parts), actor: actorOf(context) };
      const { turn, position, duplicate, queuedId } = await followUp(deps, said);
      const started = turn !== undefined;
      return { ...(started && { turn: turnToProto(turn) }), position, started, duplicate, queuedId };
    },

    listQueue: async ({ sessionId, pageSize, pageToken }) => {
      const { id, key } = await getSession(deps.db, sessionId);
      const list = {
        scope: { method: "ListQueue", args: [id] },
        defaultSize: 50,
        maxSize: 50,
        read: (place: number | undefined, limit: number) => listQueueAfter(deps.db, key, place, limit, MAX_PAGE_BYTES),
        placeOf: placeInQueue,
      };
      const { items, nextPageToken } = await readPage(list, { pageSize, pageToken });
      return { queued: items.map(wholeQueuedToProto), nextPageToken };
    },

    removeQueued: async ({ sessionId, queuedId }, context) => {
      await removeQueued(deps, { sessionId, queuedId, actor: actorOf(context) });
      return {};
    },

    retryTurn: async ({ sessionId, idempotencyKey, model, expectedTurnId }, context) => {
      const request = { sessionId, idempotencyKey, model, expectedTurnId, actor: actorOf(context) };
      return { turn: turnToProto(await retryTurn(deps, request)) };
    },
  };
}

function typeOf({ requestHeader }: HandlerContext): string | null {
  return requestHeader.get("content-type");
}

function logChanged(logEpoch: string): DomainError {
  return new DomainError(
    "out_of_range",
    "LOG_CHANGED",
    "log_epoch is not this store's: it was restored from a backup; watch again from 0",
    {
      log_epoch: logEpoch,
    },
  );
}
