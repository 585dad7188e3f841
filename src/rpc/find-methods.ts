import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  SearchHitSchema,
  SessionOrder as OrderProto,
  type SearchHit,
  type SearchMessagesRequest,
  type SessionService,
} from "../../gen/ts/parley/v1/session_service_pb.ts";
import { readSnippet, searchMessages, type Found, type Search, type SearchDeps } from "../message/search-messages.ts";
import type { Profiles } from "../profile/profile.ts";
import {
  listSessions,
  type ListedSession,
  type SessionFilter,
  type SessionOrder,
  type SessionPlace,
} from "../session/list/list-sessions.ts";
import { getSession } from "../session/session-store.ts";
import { roleToProto, rolesFromProto } from "./message-proto.ts";
import { MAX_PAGE_BYTES, readPage } from "./page.ts";
import { filterFromProto } from "./session-filter-proto.ts";
import { sessionToProto } from "./session-proto.ts";

type FindMethods = Pick<ServiceImpl<typeof SessionService>, "listSessions" | "searchMessages">;

const ORDERS: Readonly<Partial<Record<OrderProto, SessionOrder>>> = {
  [OrderProto.CREATE_TIME_ASC]: "create_asc",
  [OrderProto.UPDATE_TIME_DESC]: "update_desc",
  [OrderProto.TITLE_ASC]: "title_asc",
};

/** What finds sessions and messages. */
export function createFindMethods(deps: SearchDeps & { readonly profiles: Profiles }): FindMethods {
  const { db, profiles } = deps;
  return {
    listSessions: async (request) => {
      const filter = await filterFromProto(request);
      const order = ORDERS[request.order] ?? "create_desc";
      const list = {
        scope: { method: "ListSessions", args: [order, canonicalText(filter)] },
        defaultSize: 50,
        maxSize: 500,
        read: (after: SessionPlace | undefined, limit: number) =>
          listSessions(db, { filter, order, after, limit, maxBytes: MAX_PAGE_BYTES }),
        placeOf: ({ place }: ListedSession) => place,
      };
      const { items, nextPageToken } = await readPage<ListedSession, SessionPlace>(list, request);
      return { sessions: items.map((session) => sessionToProto(session, profiles)), nextPageToken };
    },

    searchMessages: async (request, { signal }) => {
      const search = await searchFromProto(request);
      const list = {
        scope: { method: "SearchMessages", args: [request.query, request.sessionId, search.roles.join()] },
        defaultSize: 20,
        maxSize: 100,
        read: (before: number | undefined, limit: number) => searchMessages(deps, search, before, limit, signal),
        placeOf: ({ key }: Found) => key,
      };
      const { items, nextPageToken } = await readPage(list, request);
      const hits: SearchHit[] = [];
      for (const found of items) hits.push(await hitToProto(found, search));
      return { hits, nextPageToken };
    },
  };

  async function searchFromProto({ query, sessionId, roles }: SearchMessagesRequest): Promise<Search> {
    const sessionKey = sessionId === "" ? undefined : (await getSession(db, sessionId)).key;
    return { query, sessionKey, roles: rolesFromProto(roles) };
  }

  async function hitToProto(found: Found, search: Search): Promise<SearchHit> {
    return create(SearchHitSchema, {
      sessionId: found.sessionId,
      sessionTitle: found.sessionTitle,
      messageId: found.messageId,
      role: roleToProto(found.role),
      createTime: timestampFromMs(found.createTimeMs),
      snippet: [...(await readSnippet(db, search, found.key))],
    });
  }
}

/** The same for the same filter, in whatever order its labels came. */
function canonicalText({ labels, ...rest }: SessionFilter): string {
  return JSON.stringify({ ...rest, labels: Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)) });
}
