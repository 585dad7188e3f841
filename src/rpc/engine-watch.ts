import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type EngineService,
  EngineTopic,
  SessionFilterSchema,
  type WatchEngineRequest,
  type WatchEngineResponseSchema,
} from "../../gen/ts/parley/v1/engine_service_pb.ts";
import { type CaughtUp, type Topic, watchTopics, type WatchTopicsDeps } from "../event/watch-topics.ts";
import type { Profiles } from "../profile/profile.ts";
import type { RequestChange } from "../request/request-changes.ts";
import { requestTopic, type WatchRequestsDeps } from "../request/watch-requests.ts";
import type { StoredSession } from "../session/session-store.ts";
import { sessionTopic, type WatchedSession, type WatchSessionsDeps } from "../session/list/watch-sessions.ts";
import { requestToProto } from "./request-proto.ts";
import { filterFromProto } from "./session-filter-proto.ts";
import { sessionToProto } from "./session-proto.ts";

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 5000;

type WatchMethods = Pick<ServiceImpl<typeof EngineService>, "watchEngine">;
type Payload = NonNullable<MessageInitShape<typeof WatchEngineResponseSchema>["payload"]>;

type Item = WatchedSession | RequestChange;
type Deps = WatchSessionsDeps & WatchRequestsDeps & WatchTopicsDeps & { readonly profiles: Profiles };

export function createWatchMethods(deps: Deps): WatchMethods {
  const sessionOf = shared((session: StoredSession) => sessionToProto(session, deps.profiles));
  const requestOf = shared(requestToProto);

  function payloadOf(item: Item | CaughtUp): Payload {
    switch (item.kind) {
      case "session":
        return { case: "session", value: sessionOf(item.session) };
      case "gone":
        return { case: "sessionGone", value: item.id };
      case "request":
        return { case: "request", value: requestOf(item.request) };
      case "request_gone":
        return { case: "requestGone", value: item.id };
      case "caught_up":
        return { case: "caughtUp", value: { hasMoreSessions: item.hasMore } };
    }
  }

  return {
    watchEngine: async function* (request, { signal }) {
      for await (const items of watchTopics<Item>(deps, await topicsOf(deps, request), signal)) {
        for (const item of items) yield { payload: payloadOf(item) };
      }
    },
  };
}

/** Who names none gets all. */
async function topicsOf(deps: Deps, { topics, sessions, sessionLimit }: WatchEngineRequest): Promise<Topic<Item>[]> {
  const isWanted = (topic: EngineTopic): boolean => topics.length === 0 || topics.includes(topic);
  const filter = await filterFromProto(sessions ?? create(SessionFilterSchema));
  const limit = sessionLimit === 0 ? DEFAULT_LIMIT : Math.min(sessionLimit, MAX_LIMIT);
  return [
    ...(isWanted(EngineTopic.SESSIONS) ? [sessionTopic(deps, { filter, limit })] : []),
    ...(isWanted(EngineTopic.REQUESTS) ? [requestTopic(deps)] : []),
  ];
}

/** A thousand watchers of one change share its message: it is made once. */
function shared<Item extends object, Made>(make: (item: Item) => Made): (item: Item) => Made {
  const known = new WeakMap<Item, Made>();
  return (item) => {
    let made = known.get(item);
    if (made === undefined) {
      made = make(item);
      known.set(item, made);
    }
    return made;
  };
}
