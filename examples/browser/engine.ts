// How a page reaches an engine on another origin: Connect over fetch, with the token in a header.
import { createClient, type Client as ServiceClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
// Outside this repository: "parley/api".
import {
  EngineService,
  isTransient,
  MessageService,
  PermissionService,
  RequestService,
  type Session,
  SessionService,
} from "../../src/client/api.ts";

export interface Engine {
  readonly sessions: ServiceClient<typeof SessionService>;
  readonly messages: ServiceClient<typeof MessageService>;
  readonly permissions: ServiceClient<typeof PermissionService>;
  readonly requests: ServiceClient<typeof RequestService>;
  readonly engine: ServiceClient<typeof EngineService>;
}

export function openEngine(url: string, token: string): Engine {
  const transport = createConnectTransport({
    baseUrl: url.replace(/\/+$/, ""),
    interceptors: [
      (next) => (request) => {
        request.header.set("Authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return {
    sessions: createClient(SessionService, transport),
    messages: createClient(MessageService, transport),
    permissions: createClient(PermissionService, transport),
    requests: createClient(RequestService, transport),
    engine: createClient(EngineService, transport),
  };
}

/** Two heartbeats of 15 s, and a little for the way. */
const MAX_SILENCE_MS = 35_000;

export interface SessionList {
  /** The sessions as they are now, newest first. */
  onSessions(sessions: readonly Session[]): void;
  onState(state: { readonly kind: "live" } | { readonly kind: "away"; readonly waitMs: number }): void;
}

/**
 * Keeps a list of sessions right until the signal is aborted. Unlike a session's log this stream has no place to come back to:
 * each connection begins with all items, and what is not among them when it has caught up is gone.
 * @throws what trying again does not mend, such as a token that opens nothing.
 */
export async function watchSessions({ engine }: Engine, list: SessionList, signal: AbortSignal): Promise<void> {
  for (let failures = 0; ; failures++) {
    const connection = new AbortController();
    const stop = (): void => connection.abort();
    signal.addEventListener("abort", stop, { once: true });
    let silence = setTimeout(stop, MAX_SILENCE_MS);
    try {
      const sessions = new Map<string, Session>();
      let isCaughtUp = false;
      for await (const { payload } of engine.watchEngine({}, { signal: connection.signal })) {
        clearTimeout(silence);
        silence = setTimeout(stop, MAX_SILENCE_MS);
        if (payload.case === "session") sessions.set(payload.value.id, payload.value);
        if (payload.case === "sessionGone") sessions.delete(payload.value);
        if (payload.case === "caughtUp" && !isCaughtUp) {
          isCaughtUp = true;
          failures = 0;
          list.onState({ kind: "live" });
        }
        if (isCaughtUp) list.onSessions([...sessions.values()].sort(byNewest));
      }
    } catch (error) {
      if (!signal.aborted && !connection.signal.aborted && !isTransient(error)) throw error;
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    // Half of the wait is by chance, so that many pages do not come back at once.
    const waitMs = Math.min(5_000, 200 * 2 ** failures) * (0.5 + Math.random() / 2);
    list.onState({ kind: "away", waitMs });
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

function byNewest(a: Session, b: Session): number {
  return Number((b.createTime?.seconds ?? 0n) - (a.createTime?.seconds ?? 0n)) || (a.id < b.id ? 1 : -1);
}
