import { expect, test } from "vitest";
import { OutputStream } from "../../gen/ts/parley/v1/event_pb.ts";
import type { Event } from "../../src/client/client.ts";
import type { Tool, ToolContext } from "../../src/tool/tool.ts";
import { createSession, watchUntil } from "./observe.ts";
import { says } from "./scripted-upstream.ts";
import { isEnd, useTurns } from "./turn-engine.ts";

/** Runs as the test says. */
function toolThat(run: (context: ToolContext) => Promise<string>): Tool {
  return {
    name: "printer",
    description: "Prints.",
    parameters: { type: "object" },
    assess: () => ({ risk: { level: "none", reason: "it touches nothing" }, subjects: [] }),
    run: async (_args, context) => ({ text: await run(context) }),
  };
}

const turns = useTurns();

/** Starts a turn that calls the tool once. */
async function startCall(run: (context: ToolContext) => Promise<string>) {
  await turns.start({ tools: [toolThat(run)] });
  turns.upstream.script((answer, _request, number) => {
    if (number > 1) return says(answer, "done");
    answer.call("up", "printer", "{}");
    answer.end("tool_calls");
  });
  const { id } = await createSession(turns.engine, { profile: "openai" });
  await turns.startTurn(id);
  return id;
}

const isFromStderr = ({ payload }: Event): boolean =>
  payload.case === "toolOutputDelta" && payload.value.stream === OutputStream.STDERR;

const outputOf = (events: readonly Event[]): string =>
  events
    .flatMap(({ payload }) => (payload.case === "toolOutputDelta" ? [payload.value] : []))
    .map(({ stream, data }) => `${stream === OutputStream.STDOUT ? "out" : "err"} ${data}`)
    .join("|");

test("what a call prints comes while it runs, is in the snapshot, and is followed by its result", async () => {
  const { promise: hold, resolve: release } = Promise.withResolvers<void>();
  const id = await startCall(async ({ output }) => {
    await output("stdout", "größe\n");
    await output("stderr", "warn\n");
    await hold;
    return "result";
  });
  const { events } = await watchUntil(turns.engine, id, isFromStderr);
  expect(outputOf(events)).toBe("out größe\n|err warn\n");
  expect(events.at(-1)).toMatchObject({ skippable: true, turnId: events[0]!.turnId });
  const snapshot = await turns.engine.sessions.getSnapshot({ sessionId: id });
  expect(snapshot.toolCalls).toMatchObject([{ started: true, stdout: "größe\n", stderr: "warn\n" }]);
  expect(snapshot.lastSeq).toBe(events.at(-1)!.seq);
  release();
  const { events: rest } = await watchUntil(turns.engine, id, isEnd, snapshot.lastSeq);
  expect(rest[0]?.payload).toMatchObject({ case: "toolCallEnded", value: { result: { text: "result" } } });
  expect(outputOf(rest)).toBe("");
  expect((await turns.engine.sessions.getSnapshot({ sessionId: id })).toolCalls).toEqual([]);
});

test("of a call that prints much the end is in the snapshot, and its result is whole", async () => {
  const { promise: hold, resolve: release } = Promise.withResolvers<void>();
  const { promise: printed, resolve: tellPrinted } = Promise.withResolvers<void>();
  const id = await startCall(async ({ output }) => {
    for (let i = 0; i < 100; i++) await output("stdout", `${i} ${"x".repeat(4000)}\n`);
    await output("stderr", "last");
    tellPrinted();
    await hold;
    return "result";
  });
  await printed;
  await watchUntil(turns.engine, id, isFromStderr);
  const [call] = (await turns.engine.sessions.getSnapshot({ sessionId: id })).toolCalls;
  expect(call?.stdout).toHaveLength(64 * 1024);
  expect(call?.stdout).toMatch(/99 x+\n$/);
  expect(call?.stderr).toBe("last");
  release();
  await watchUntil(turns.engine, id, isEnd);
});

test("what a call prints after its turn was cancelled is not shown", async () => {
  const { promise: over, resolve: tellOver } = Promise.withResolvers<unknown>();
  const id = await startCall(async ({ output, signal }) => {
    await output("stdout", "before");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await Promise.resolve().then(() => new Promise((resolve) => setImmediate(resolve)));
    await output("stdout", "after").then(tellOver, tellOver);
    return "late";
  });
  await watchUntil(turns.engine, id, ({ payload }) => payload.case === "toolOutputDelta");
  await turns.engine.messages.cancelTurn({ sessionId: id });
  expect(await over).toBeUndefined();
  expect(outputOf((await watchUntil(turns.engine, id, isEnd)).events)).toBe("out before");
});
