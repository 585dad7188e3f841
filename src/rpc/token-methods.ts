import { create } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { Access_Scope } from "../../gen/ts/parley/v1/access_pb.ts";
import { TokenSchema, type EngineService, type Token as TokenProto } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { StoredToken } from "../token/token-store.ts";
import type { Scope, Token } from "../token/token.ts";
import type { Tokens } from "../token/tokens.ts";
import { actorOf } from "./actor.ts";
import { scopeFromProto } from "./interceptors/access.ts";
import { readPage } from "./page.ts";

const SCOPES: Readonly<Record<Scope, Access_Scope>> = {
  read: Access_Scope.READ,
  operate: Access_Scope.OPERATE,
  admin: Access_Scope.ADMIN,
};

type TokenMethods = Pick<ServiceImpl<typeof EngineService>, "createToken" | "listTokens" | "revokeToken">;

export function createTokenMethods({ tokens }: { readonly tokens: Tokens }): TokenMethods {
  return {
    createToken: async ({ name, scope, lifetime }, context) => {
      const lifetimeMs = lifetime === undefined ? undefined : durationMs(lifetime);
      const wanted = { name, scope: scopeFromProto(scope), lifetimeMs, actor: actorOf(context) };
      const { token, secret } = await tokens.create(wanted);
      return { token: tokenToProto(token), secret };
    },

    listTokens: async (request) => {
      const list = {
        scope: { method: "ListTokens", args: [] },
        defaultSize: 100,
        maxSize: 1000,
        read: (place: number | undefined, limit: number) => tokens.list(place, limit),
        placeOf: ({ key }: StoredToken) => key,
      };
      const { items, nextPageToken } = await readPage(list, request);
      return { tokens: items.map(tokenToProto), nextPageToken };
    },

    revokeToken: async ({ tokenId }, context) => {
      await tokens.revoke(tokenId, actorOf(context));
      return {};
    },
  };
}

function tokenToProto({ id, name, scope, createTimeMs, expireTimeMs }: Token): TokenProto {
  return create(TokenSchema, {
    id,
    name,
    scope: SCOPES[scope],
    createTime: timestampFromMs(createTimeMs),
    ...(expireTimeMs !== undefined && { expireTime: timestampFromMs(expireTimeMs) }),
  });
}
