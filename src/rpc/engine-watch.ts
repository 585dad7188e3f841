import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type EngineService,
  SessionFilterSchema,
  type WatchEngineResponseSchema,
} from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { Session as SessionProto } from "../../gen/ts/parley/v1/session_pb.ts";
import type { Profiles } from "../profile/profile.ts";
import type { StoredSession } from "../session/session-store.ts";
import { watchSessions, type Watched, type WatchSessionsDeps } from "../session/watch-sessions.ts";
import { filterFromProto } from "./session-filter-proto.ts";
import { sessionToProto } from "./session-proto.ts";

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 5000;

type WatchMethods = Pick<ServiceImpl<typeof EngineService>, "watchEngine">;
type Payload = NonNullable<MessageInitShape<typeof WatchEngineResponseSchema>["payload"]>;

/** Sessions are the only topic there is: who names none or that one gets them. */
export function createWatchMethods(deps: WatchSessionsDeps & { readonly profiles: Profiles }): WatchMethods {
  const toProto = createSessionToProto(deps.profiles);
  return {
    watchEngine: async function* ({ sessions, sessionLimit }, { signal }) {
      const filter = await filterFromProto(sessions ?? create(SessionFilterSchema));
      const limit = sessionLimit === 0 ? DEFAULT_LIMIT : Math.min(sessionLimit, MAX_LIMIT);
      for await (const items of watchSessions(deps, { filter, limit, signal })) {
        for (const item of items) yield { payload: payloadOf(item, toProto) };
      }
    },
  };
}

function payloadOf(item: Watched, toProto: (session: StoredSession) => SessionProto): Payload {
  switch (item.kind) {
    case "session":
      return { case: "session", value: toProto(item.session) };
    case "gone":
      return { case: "sessionGone", value: item.id };
    case "caught_up":
      return { case: "caughtUp", value: { hasMoreSessions: item.hasMore } };
  }
}

/** A thousand watchers of one change share its message: it is made once. */
function createSessionToProto(profiles: Profiles): (session: StoredSession) => SessionProto {
  const made = new WeakMap<StoredSession, SessionProto>();
  return (session) => {
    let proto = made.get(session);
    if (proto === undefined) {
      proto = sessionToProto(session, profiles);
      made.set(session, proto);
    }
    return proto;
  };
}
