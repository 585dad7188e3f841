import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, type Event, followSession, type Session } from "../../client/client.ts";
import { createAgentView } from "../view/agent-view.ts";
import type { Output } from "../output.ts";
import type { Page } from "../view/page.ts";
import { tryAgain } from "../try-again.ts";

/** Follows the agents that a session's turn starts, each in its own session, until its turn is over. */
export interface Agents {
  see(event: Event): void;
  /** Also those that were at work before. */
  resume(): void;
  /** Resolves when none is followed any more; the signal ends it. */
  whenDone(): Promise<void>;
}

export interface AgentsOptions {
  readonly client: Client;
  readonly sessionId: string;
  readonly page: Page;
  readonly output: Output;
  readonly signal: AbortSignal;
  note(text: string): void;
}

/** As many may work below one session at once, and some more that are over. */
const LISTED = 50;
const TOOL = "run_agent";

export function createAgents({ client, sessionId, page, output, signal, note }: AgentsOptions): Agents {
  const known = new Set<string>();
  const following = new Set<Promise<void>>();

  function own(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        if (!signal.aborted) note(`what an agent does cannot be shown: ${(error as Error).message}`);
      })
      .finally(() => following.delete(done));
    following.add(done);
  }
  async function followNew(
    parentSessionId: string,
    depth: number,
    isNew: (session: Session) => boolean,
  ): Promise<void> {
    const request = { parentSessionId, pageSize: LISTED };
    const { sessions } = await tryAgain(() => client.sessions.listSessions(request, { signal }), signal);
    for (const session of sessions.toReversed()) {
      if (known.has(session.id) || !isNew(session)) continue;
      known.add(session.id);
      own(followOne(session, depth));
    }
  }
  async function followOne(session: Session, depth: number): Promise<void> {
    const view = createAgentView(output, { page, session, depth });
    for await (const item of followSession(client, { sessionId: session.id, afterSeq: 0n, signal })) {
      if (item.kind !== "event") continue;
      view.show(item.event);
      seeIn(session.id, item.event, depth + 1);
      if (item.event.payload.case === "turnEnded") return;
    }
  }
  /** A call's session is made in the commit that tells of the call. */
  function seeIn(parentSessionId: string, { payload, createTime }: Event, depth: number): void {
    if (payload.case !== "toolCallStarted" || payload.value.name !== TOOL || createTime === undefined) return;
    const sinceMs = timestampMs(createTime);
    own(
      followNew(parentSessionId, depth, (session) => {
        return session.createTime !== undefined && timestampMs(session.createTime) >= sinceMs;
      }),
    );
  }

  return {
    see: (event) => seeIn(sessionId, event, 0),
    resume: () => own(followNew(sessionId, 0, ({ runningTurnId }) => runningTurnId !== "")),
    async whenDone() {
      while (following.size > 0) await Promise.all(following);
    },
  };
}
