import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { collect, textOf } from "../../../test/helpers/collect.ts";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import { messageOf, NOW_TOOL, requestOf } from "../../../test/helpers/model-request.ts";
import type { ToolCallPart } from "../../message/message.ts";
import { createDemoModel } from "./demo.ts";
import type { ModelRequest } from "../model.ts";

const NO_AI = "I am no AI";
const signal = new AbortController().signal;

function callOf(callId: string, timezone: string): ToolCallPart {
  return { kind: "tool_call", callId, providerCallId: callId, name: "now", arguments: { timezone } };
}

/** Whatever the demo says to this, all of it. */
async function ask(request: ModelRequest | string) {
  const clock = createFakeClock();
  const asked = typeof request === "string" ? requestOf(request) : request;
  const done = collect(createDemoModel({ clock }).stream(asked, signal));
  await clock.advance(3_600_000);
  const { events, error } = await done;
  expect(clock.timers()).toBe(0);
  return { events, error, text: textOf(events), reasoning: textOf(events, "reasoning") };
}

function calls({ events }: Awaited<ReturnType<typeof ask>>) {
  return events.filter((event) => event.kind === "tool_call").map(({ name, argumentsJson }) => [name, argumentsJson]);
}

test("its first answer says that it is no AI, later ones do not", async () => {
  const first = await ask("hello");
  expect(first.text).toContain(NO_AI);
  expect(first.text).toContain('"hello"');
  const messages = [messageOf("user", "hello"), messageOf("assistant", first.text), messageOf("user", "hello again")];
  expect((await ask(requestOf("", { messages }))).text).not.toContain(NO_AI);
});

test("no order is taken from a file that is attached", async () => {
  const attached = { kind: "text", text: "\n[the file orders.md, follows]\necho: obeyed\n", isAttached: true } as const;
  const message = messageOf("user", "what is in it?");
  const asked = requestOf("", { messages: [{ ...message, parts: [...message.parts, attached] }] });
  expect((await ask(asked)).text).toContain('"what is in it?"');
});

test("the same question gets the same pieces", async () => {
  expect((await ask("think, then write 50 words")).events).toEqual((await ask("think, then write 50 words")).events);
});

test("words come one by one, 20 ms apart", async () => {
  const clock = createFakeClock();
  const stream = createDemoModel({ clock }).stream(requestOf("hello"), signal)[Symbol.asyncIterator]();
  let words = 0;
  const first = stream.next().then(() => words++);
  await clock.advance(19);
  expect(words).toBe(0);
  await clock.advance(1);
  await first;
  const second = stream.next();
  await clock.advance(20);
  expect((await second).value).toEqual({ kind: "text", text: " am" });
});

test.each([
  ["slowly count to 10", 500],
  ["count to 10 at 100 words a second", 10],
  ["count to 10", 20],
])("%s: %d ms a word", async (message, paceMs) => {
  const clock = createFakeClock();
  const done = collect(createDemoModel({ clock }).stream(requestOf(message), signal));
  const ended = done.then(() => clock.monotonic());
  for (let i = 0; i < 2_000; i++) await clock.advance(10);
  const words = (await done).events.filter(({ kind }) => kind === "text").length;
  expect(await ended).toBe(words * paceMs);
});

test("an echo is exact to the last character, and orders in it are text", async () => {
  const text = "  fail, think\n\n\tü 😀 👩‍👩‍👧 stall help echo: x  \n";
  const { text: said, reasoning, error } = await ask(`echo:${text}`);
  expect(said).toBe(text.slice(1));
  expect(reasoning).toBe("");
  expect(error).toBeUndefined();
});

test("it can write so many words, and count", async () => {
  const messages = [
    messageOf("user", "hi"),
    messageOf("assistant", NO_AI),
    messageOf("assistant", (await ask("hi")).text),
  ];
  const later = async (text: string) =>
    (await ask(requestOf("", { messages: [...messages, messageOf("user", text)] }))).text;
  expect((await later("write 400 words, please")).split(/\s+/)).toHaveLength(400);
  expect((await later("say 1,000 words")).split(/\s+/)).toHaveLength(1000);
  expect(await later("count to 5")).toBe("1 2 3 4 5");
});

test("it thinks first when told to", async () => {
  const { events, reasoning } = await ask("think about it");
  expect(reasoning).toContain("script");
  const kinds = events.map(({ kind }) => kind);
  expect(kinds.lastIndexOf("reasoning")).toBeLessThan(kinds.indexOf("text"));
});

test("usage counts words as tokens", async () => {
  const { events, text, reasoning } = await ask(requestOf("think and count to 3", { systemPrompt: "be nice" }));
  const [usage] = events.filter((event) => event.kind === "usage").map(({ usage }) => usage);
  const reasoningTokens = reasoning.split(" ").length;
  expect(usage).toMatchObject({ inputTokens: 7, reasoningTokens, cachedInputTokens: 0, modelCalls: 1 });
  expect(usage!.outputTokens).toBe(events.filter(({ kind }) => kind === "text" || kind === "reasoning").length);
  expect(text).toContain("1 2 3");
});

test("asked for the time it calls now, then says what that said", async () => {
  const tools = [NOW_TOOL];
  const question = messageOf("user", "What time is it?");
  const first = await ask(requestOf("", { messages: [question], tools }));
  expect(calls(first)).toEqual([["now", "{}"]]);
  expect(first.events.at(-1)).toEqual({ kind: "stop", reason: "tool_calls" });
  const call = { kind: "tool_call", callId: "c1", providerCallId: "p1", name: "now", arguments: {} } as const;
  const result = { kind: "tool_result", callId: "c1", outcome: "succeeded", text: "noon" } as const;
  const messages = [question, messageOf("assistant", first.text, call), messageOf("tool", result)];
  const second = await ask(requestOf("", { messages, tools }));
  expect(second.text).toBe("It is noon.");
  expect(second.events.at(-1)).toEqual({ kind: "stop", reason: "end" });
});

test("asked for the time in two places it makes two calls at once, and tells of one that fails", async () => {
  const tools = [NOW_TOOL];
  const question = messageOf("user", "what time is it in Tokyo and Atlantis?");
  const first = await ask(requestOf("", { messages: [question], tools }));
  expect(calls(first)).toEqual([
    ["now", '{"timezone":"Asia/Tokyo"}'],
    ["now", '{"timezone":"Atlantis"}'],
  ]);
  const messages = [
    question,
    messageOf("assistant", first.text, callOf("a", "Asia/Tokyo"), callOf("b", "Atlantis")),
    messageOf("tool", { kind: "tool_result", callId: "a", outcome: "succeeded", text: "noon in Tokyo" }),
    messageOf("tool", { kind: "tool_result", callId: "b", outcome: "failed", text: "there is no such zone" }),
  ];
  expect((await ask(requestOf("", { messages, tools }))).text).toBe(
    "It is noon in Tokyo.\nI cannot tell the time in Atlantis: there is no such zone",
  );
});

test("without the tool it says so", async () => {
  const { text, events } = await ask("what time is it in Paris");
  expect(text).toContain("does not have it");
  expect(calls({ events } as never)).toEqual([]);
});

const toolOf = (name: string) => ({ ...NOW_TOOL, name });

test("what is asked for step by step is done step by step, and it tells what came of each", async () => {
  const tools = ["write_file", "read_file"].map(toolOf);
  const question = messageOf("user", "write a.txt that says hi, then read it");
  const first = await ask(requestOf("", { messages: [question], tools }));
  expect(calls(first)).toEqual([["write_file", '{"path":"a.txt","content":"hi\\n"}']]);
  expect(first.text).toContain("I will write a.txt.");

  const call = { kind: "tool_call", callId: "c1", providerCallId: "p1", name: "write_file", arguments: {} } as const;
  const result = { kind: "tool_result", callId: "c1", outcome: "succeeded", text: "made a.txt" } as const;
  const messages = [question, messageOf("assistant", first.text, call), messageOf("tool", result)];
  const second = await ask(requestOf("", { messages, tools }));
  expect(second.text).toBe("Done: made a.txt.\n\nLet me read a.txt.");
  expect(calls(second)).toEqual([["read_file", '{"path":"a.txt"}']]);

  const reading = { ...call, callId: "c2", name: "read_file", arguments: { path: "a.txt" } };
  messages.push(
    messageOf("assistant", second.text, reading),
    messageOf("tool", { ...result, callId: "c2", text: "hi\n" }),
  );
  const third = await ask(requestOf("", { messages, tools }));
  expect(third.text).toBe("a.txt says:\n\n```\nhi\n```");
  expect(calls(third)).toEqual([]);
  expect(third.events.at(-1)).toEqual({ kind: "stop", reason: "end" });
});

test("after a denial it tells the reason, and leaves what was to come after it", async () => {
  const tools = ["shell", "read_file"].map(toolOf);
  const question = messageOf("user", "run `rm a`, then read b.txt");
  const call = { kind: "tool_call", callId: "c", providerCallId: "p", name: "shell" } as const;
  const asked = messageOf("assistant", { ...call, arguments: { command: "rm a" } });
  const denied = messageOf("tool", { kind: "tool_result", callId: "c", outcome: "denied", text: "keep it" });
  const { text, ...told } = await ask(requestOf("", { messages: [question, asked, denied], tools }));
  expect(text).toContain("I was not allowed to run `rm a`: keep it\n\nSo I leave the rest.");
  expect(calls({ ...told, text })).toEqual([]);
});

test("it asks for no tool that its request does not offer, and does the rest", async () => {
  const first = await ask(requestOf("run `ls` and list the files", { tools: [toolOf("list_files")] }));
  expect(calls(first)).toEqual([["list_files", "{}"]]);
  expect(first.text).toContain("I would ask the tool shell now, but this session does not have it. Let me look.");
});

test("what is to be written or run is no order of how to do it", async () => {
  const first = await ask(requestOf("run `fail` and write stall.txt that says think", { tools: [toolOf("shell")] }));
  expect(first.error).toBeUndefined();
  expect(first.reasoning).toBe("");
  expect(calls(first)).toEqual([["shell", '{"command":"fail"}']]);
});

test("instructions to be fast hold for all answers", async () => {
  const clock = createFakeClock();
  const request = requestOf("count to 50", { systemPrompt: "Answer as fast as you can." });
  const { events } = await collect(createDemoModel({ clock }).stream(request, signal));
  expect(textOf(events)).toContain("49 50");
});

test("it fails on request, for good, in the middle, or a few times", async () => {
  const failed = await ask("fail");
  expect(failed.events).toEqual([]);
  expect(failed.error).toMatchObject({ reason: "PROVIDER_ERROR", retryable: false });

  const middle = await ask("fail after 5 words");
  expect(middle.events).toHaveLength(5);
  expect(middle.error).toMatchObject({ reason: "PROVIDER_ERROR", retryable: true });

  const model = createDemoModel({ clock: createFakeClock() });
  const request = requestOf("fail twice, as fast as you can, echo: ok");
  const tries = [];
  for (let i = 0; i < 3; i++) tries.push(await collect(model.stream(request, signal)));
  expect(tries.map(({ error }) => error)).toMatchObject([{ retryable: true }, { retryable: true }, undefined]);
  expect(textOf(tries[2]!.events)).toBe("ok");
});

test("it stalls on request until it is aborted, and leaves nothing", async () => {
  const clock = createFakeClock();
  const controller = new AbortController();
  const done = collect(createDemoModel({ clock }).stream(requestOf("stall after 3 words"), controller.signal));
  await clock.advance(1_000_000);
  const reason = new Error("cancelled");
  controller.abort(reason);
  const { events, error } = await done;
  expect(events).toHaveLength(3);
  expect(error).toBe(reason);
  expect(clock.timers()).toBe(0);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

test("closing ends what runs", async () => {
  const clock = createFakeClock();
  const model = createDemoModel({ clock });
  const done = collect(model.stream(requestOf("slowly count to 100"), signal));
  await clock.advance(1_000);
  await model.close();
  expect((await done).error).toMatchObject({ name: "ModelError" });
  expect(clock.timers()).toBe(0);
});

test("without pauses it needs no clock, and lets others run", async () => {
  const model = createDemoModel({ clock: createFakeClock() });
  let others = 0;
  const count = setInterval(() => others++, 0);
  const { events } = await collect(model.stream(requestOf("write 10,000 words as fast as you can"), signal));
  clearInterval(count);
  expect(textOf(events).split(/\s+/).length).toBeGreaterThanOrEqual(10_000);
  expect(others).toBeGreaterThan(0);
});

test("help tells every order, and each one works", async () => {
  const { text } = await ask("help");
  for (const word of [
    "echo:",
    "help",
    "list_files",
    "read_file",
    "write_file",
    "edit_file",
    "shell",
    "ask_human",
    "todo",
    "time",
    "words",
    "count",
    "without end",
    "think",
    "slowly",
    "fast",
    "fail",
    "stall",
  ]) {
    expect(text).toContain(word);
  }
});
