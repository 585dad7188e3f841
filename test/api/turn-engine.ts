import { afterEach, beforeEach, expect } from "vitest";
import type { Event, Turn } from "../../src/client/client.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { createWatchedClock } from "./clock.ts";
import { text, watchUntil } from "./observe.ts";
import { startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine, type TestEngineOptions } from "./test-engine.ts";

/** A tool that ends only when its turn is stopped. */
export const hang: Tool = {
  name: "hang",
  description: "Hangs.",
  parameters: { type: "object" },
  assess: () => ({ risk: { level: "none", reason: "it touches nothing" }, subjects: [] }),
  run: (_args, { signal }) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    ),
};

export const isEnd = ({ payload }: Event): boolean => payload.case === "turnEnded";

/** An engine for each test of a file, and the provider that it asks. */
export function useTurns() {
  const turns = {
    clock: createWatchedClock(),
    upstream: undefined as unknown as Upstream,
    /** A test that restarts it puts the new one here. */
    engine: undefined as unknown as TestEngine,

    async start(parts: TestEngineOptions["parts"] = {}, options: TestEngineOptions = {}): Promise<void> {
      const { url } = turns.upstream;
      const all = { random: () => 0, tools: [hang], ...parts };
      turns.engine = await startTestEngine({ openai: url, ...options, parts: all });
    },

    async startTurn(sessionId: string, words = "go"): Promise<Turn> {
      return (await turns.engine.messages.startTurn({ sessionId, parts: text(words) })).turn!;
    },

    /** Makes the upstream say something and then nothing more; the turn that asked is returned when its text is shown. */
    async startHalf(sessionId: string, said = "half"): Promise<Turn> {
      turns.upstream.script((answer) => answer.text(said));
      const turn = await turns.startTurn(sessionId);
      await watchUntil(turns.engine, sessionId, ({ payload }) => payload.case === "textDelta", turn.firstSeq - 1n);
      return turn;
    },
  };
  beforeEach(async () => {
    turns.upstream = await startUpstream();
  });
  afterEach(async () => {
    await turns.engine.dispose();
    await turns.upstream.close();
  });
  return turns;
}

/** Every call that was asked for has exactly one end, and every turn exactly one. */
export function expectClosed(events: readonly Event[]): void {
  const of = (kind: string): string[] =>
    events
      .flatMap(({ payload }) => (payload.case === kind && "callId" in payload.value ? [payload.value.callId] : []))
      .toSorted();
  expect(of("toolCallEnded")).toEqual(of("toolCallRequested"));
  const turnsOf = (kind: string): string[] =>
    events.filter(({ payload }) => payload.case === kind).map(({ turnId }) => turnId);
  expect(turnsOf("turnEnded")).toEqual(turnsOf("turnStarted"));
  const started = events.flatMap(({ payload }) => (payload.case === "messageStarted" ? [payload.value.messageId] : []));
  const completed = events.flatMap(({ payload }) =>
    payload.case === "messageCompleted" ? [payload.value.message!.id] : [],
  );
  expect(completed).toEqual(expect.arrayContaining(started));
  expect(new Set(completed).size).toBe(completed.length);
}
