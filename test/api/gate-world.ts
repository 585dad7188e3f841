import { expect } from "vitest";
import type { Request, Session, Turn } from "../../src/client/client.ts";
import { PermissionDecision, SessionState } from "../../src/client/client.ts";
import { createRiskyTools, type RiskyTools } from "../helpers/risky-tools.ts";
import { createSession, endOf } from "./observe.ts";
import { openPermissions } from "./observe-requests.ts";
import { isValidHistory, says } from "./scripted-upstream.ts";
import { useTurns } from "./turn-engine.ts";

export type Call = readonly [tool: string, args: object];

/** A session whose turn asked for calls. */
export interface Asked {
  readonly risky: RiskyTools;
  readonly sessionId: string;
  readonly turn: Turn;
}

/** An engine with a tool of each risk for each test of a file, and turns whose model asks for calls and then says that it is done. */
export function useGate() {
  const turns = useTurns();

  const gate = {
    turns,

    async ask(calls: readonly Call[], settings: object = {}): Promise<Asked> {
      const risky = createRiskyTools();
      await turns.start({ tools: risky.tools });
      const { id: sessionId } = await createSession(turns.engine, { profile: "openai", ...settings });
      return { risky, sessionId, turn: await gate.askAgain(sessionId, calls) };
    },

    async askAgain(sessionId: string, calls: readonly Call[]): Promise<Turn> {
      const asked = turns.upstream.requests.length;
      turns.upstream.script((answer) => {
        if (turns.upstream.requests.length > asked + 1) return says(answer, "done");
        for (const [i, [tool, args]] of calls.entries()) answer.call(`up_${i}`, tool, JSON.stringify(args));
        answer.end("tool_calls");
      });
      return turns.startTurn(sessionId);
    },

    /** The open requests of a session, as soon as there are so many. */
    open: (sessionId: string, count = 1): Promise<Request[]> => openPermissions(turns.engine, sessionId, count),

    approve: (requestId: string, more: object = {}) =>
      turns.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE, ...more }),

    deny: (requestId: string, more: object = {}) =>
      turns.engine.permissions.resolvePermission({ requestId, decision: PermissionDecision.DENY, ...more }),

    ended: (turn: Turn | undefined): Promise<Turn> => endOf(turns.engine, turn),

    session: async (sessionId: string): Promise<Session> =>
      (await turns.engine.sessions.getSession({ sessionId })).session!,

    /** Waits until nothing of a session's turn is in memory: it rests. */
    async resting(sessionId: string): Promise<void> {
      await expect.poll(async () => (await gate.session(sessionId)).state).toBe(SessionState.WAITING);
      await expect.poll(async () => (await turns.engine.engine.getStatus({})).runningTurns).toBe(0);
    },

    /** What the model was told of its calls with the last request. */
    told(): string[] {
      const last = turns.upstream.requests.at(-1)!;
      expect(isValidHistory(last.messages)).toBe(true);
      return last.messages.flatMap(({ role, content }) => (role === "tool" ? [String(content)] : []));
    },
  };
  return gate;
}
