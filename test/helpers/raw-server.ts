import { create } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { EngineService, GetInfoResponseSchema } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import { MessageService, WatchSessionResponseSchema } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { createInterceptors } from "../../src/rpc/interceptors/interceptors.ts";
import type { Logger } from "../../src/rpc/interceptors/log.ts";
import { createTokenFinder } from "../../src/rpc/interceptors/principal.ts";
import { hashSecret, type Scope } from "../../src/token/token.ts";
import { createApp, type App, type AppDeps } from "../../src/server/app.ts";
import type { Clock } from "../../src/clock.ts";
import type { Address } from "../../src/server/listener.ts";
import type { Credentials } from "../../src/server/tls-files.ts";

const TOKENS = { read: "token-read", operate: "token-operate", admin: "token-admin" } as const;

export interface LogLine {
  readonly level: "debug" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A server with the real guard, listener and interceptors, and a few methods that do as the test says. */
export interface TestServer extends Address {
  readonly app: App;
  readonly logs: LogLine[];
  /** The signals of the streams that were opened. */
  readonly streams: AbortSignal[];
  readonly openStreams: () => number;
  readonly authorization: Record<string, string>;
  close(graceMs?: number): Promise<void>;
}

export interface TestServerOptions extends Partial<Pick<AppDeps, "limits" | "judge" | "guard" | "isReady" | "rpc">> {
  readonly host?: string;
  /** Set: the port speaks TLS. */
  readonly credentials?: Credentials;
  readonly clock?: Clock;
  /** Messages that a watch sends before it waits for its end. Default 1. */
  readonly watchMessages?: number;
  readonly onGetStatus?: () => never | Promise<never>;
  readonly routes?: (router: ConnectRouter) => void;
}

const GUARD = { allowHosts: [], allowOrigins: ["https://app.example"] };

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const logs: LogLine[] = [];
  const streams: AbortSignal[] = [];
  let open = 0;
  const scopes: readonly Scope[] = ["read", "operate", "admin"];
  const known = scopes.map((scope) => ({ principal: { name: scope, scope }, sha256: hashSecret(TOKENS[scope]) }));
  const app = createApp({
    rpc:
      options.rpc ??
      createInterceptors({
        findPrincipal: createTokenFinder(() => known),
        logger: createLogger(logs),
        newErrorId: () => "error-1",
      }),
    guard: options.guard ?? GUARD,
    isReady: options.isReady ?? (() => true),
    onError: (error, where) => logs.push({ level: "error", fields: { error, where }, message: "onError" }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.judge === undefined ? {} : { judge: options.judge }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    routes(router) {
      router.service(EngineService, {
        getInfo: () => create(GetInfoResponseSchema, { version: "1.2.3" }),
        getStatus: () => (options.onGetStatus ?? notTold)(),
      });
      router.service(MessageService, {
        async *watchSession(_request, context) {
          streams.push(context.signal);
          open += 1;
          try {
            for (let seq = 1n; seq <= BigInt(options.watchMessages ?? 1); seq++) {
              yield create(WatchSessionResponseSchema, { payload: { case: "checkpoint", value: { lastSeq: seq } } });
            }
            await aborted(context.signal);
          } finally {
            open -= 1;
          }
        },
      });
      options.routes?.(router);
    },
  });
  const address = await app.listen({ host: options.host ?? "127.0.0.1", port: 0 }, options.credentials);
  return {
    ...address,
    app,
    logs,
    streams,
    openStreams: () => open,
    authorization: { authorization: `Bearer ${TOKENS.admin}` },
    close: (graceMs = 200) => app.close({ graceMs }),
  };
}

/** Never resolves; rejects with the signal's reason. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

export function createLogger(lines: LogLine[]): Logger {
  const write = (level: LogLine["level"]) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as LogLine["fields"], message });
  return { debug: write("debug"), warn: write("warn"), error: write("error") };
}

function notTold(): never {
  throw new Error("the test did not say what to do");
}
