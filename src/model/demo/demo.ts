import { type Clock, delay } from "../../clock.ts";
import type { ToolCallPart } from "../../message/message.ts";
import type { Order } from "./demo-order.ts";
import { type EndedCall, lastCalls, tellResult } from "./demo-results.ts";
import { readScript, type Script, splitWords } from "./demo-script.ts";
import { demoTitle } from "./demo-title.ts";
import { ModelError, type Model, type ModelEvent, type ModelMessage, type ModelRequest } from "../model.ts";
import { isTitleRequest } from "../title-request.ts";

const INTRO = "I am no AI: I am Parley's built-in demo, and I follow a script.";
/** So often a script without pauses lets others run: a few tenths of a millisecond. */
const WORDS_BETWEEN_BREAKS = 100;

/**
 * A model that needs no key and no network. The same conversation always gets the same answer; "help" lists what it
 * understands (`demo-script.ts` has the table). Its first answer says that it is no AI, except an echo, which is exact.
 * Counts words as tokens.
 */
export function createDemoModel({ clock }: { readonly clock: Clock }): Model {
  const running = new Set<AbortController>();
  // "fail 2 times" has to know which try this is; a retry sends the same request again.
  const tries = new WeakMap<ModelRequest, number>();

  async function* stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", onAbort, { once: true });
    running.add(controller);
    try {
      const tryNumber = (tries.get(request) ?? 0) + 1;
      tries.set(request, tryNumber);
      if (isTitleRequest(request)) {
        yield* nameIt(request);
        return;
      }
      const script = prepare(request);
      if (tryNumber <= script.failFirstTries) throw asked(Number.isFinite(script.failFirstTries));
      yield* perform(script, request, controller.signal, clock);
    } finally {
      running.delete(controller);
      signal.removeEventListener("abort", onAbort);
    }
  }

  return {
    stream,
    async close() {
      const reason = new ModelError("PROVIDER_BROKE_OFF", "the demo model was closed", { retryable: false });
      for (const controller of running) controller.abort(reason);
    },
  };
}

/** A title at once, whatever the user has ordered for the answer. */
function* nameIt(request: ModelRequest): Generator<ModelEvent> {
  const words = splitWords(demoTitle(lastUserText(request.messages)));
  for (const text of words) yield { kind: "text", text };
  yield usageOf(request, words.length, 0);
  yield { kind: "stop", reason: "end" };
}

/** What to do for a request: what the user's last words ask for, or, once the tools have answered, to tell what they said. */
function prepare({ systemPrompt, messages, tools }: ModelRequest): Script {
  const script = readScript(lastUserText(messages), lastFileOf(messages));
  // Instructions hold for all answers. This one alone: others would be found in texts that mean something else.
  if (/\bas fast as you can\b/i.test(systemPrompt)) script.paceMs = 0;
  if (script.steps.length > 0) followSteps(script, messages, new Set(tools.map(({ name }) => name)));
  if (!script.isExact) script.answer = chain(splitWords(tellImages(messages.at(-1))), script.answer);
  const isIntroduced = messages.some((message) => message.role === "assistant" && textOf(message).includes(INTRO));
  if (!isIntroduced && !script.isExact) script.answer = chain(splitWords(`${INTRO}\n\n`), script.answer);
  return script;
}

/** Leaves the one step that is next in the script, and says what came of the one before it. */
function followSteps(script: Script, messages: readonly ModelMessage[], offered: ReadonlySet<string>): void {
  const sinceUser = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1);
  const done = sinceUser.filter((message) => callsOf(message).length > 0).length;
  const steps = script.steps
    .map((step) => step.filter(({ tool }) => offered.has(tool)))
    .filter((step) => step.length > 0);
  const ended = lastCalls(sinceUser);
  // What comes after something that a human did not want most likely needs it.
  const isDenied = ended.some(({ result }) => result.outcome === "denied");
  const next = isDenied ? [] : (steps[done] ?? []);
  const left = isDenied && done < steps.length ? ["So I leave the rest."] : [];
  const missing = script.steps.flat().filter(({ tool }) => !offered.has(tool));
  const untold = done === 0 ? missing.map(tellMissing) : [];
  const intro = sentences([...untold, ...next.map((order) => order.intro), ...left]);
  script.steps = [next];
  script.answer = chain(tellEnded(ended), splitWords(ended.length > 0 && intro !== "" ? `\n\n${intro}` : intro));
  // The manner was for the first part of the turn.
  if (done > 0) script.reasoning = "";
}

async function* perform(
  script: Script,
  request: ModelRequest,
  signal: AbortSignal,
  clock: Clock,
): AsyncGenerator<ModelEvent> {
  const pause = createPacer(script.paceMs, clock, signal);
  let reasoningTokens = 0;
  for (const word of splitWords(script.reasoning)) {
    await pause(reasoningTokens++);
    yield { kind: "reasoning", text: word };
  }
  let words = 0;
  for (const word of script.answer) {
    if (words === script.stallAfterWords) await untilAborted(signal);
    if (words === script.failAfterWords) throw asked(true);
    await pause(reasoningTokens + words++);
    yield { kind: "text", text: word };
  }
  // Asked for more words than there were.
  if (script.stallAfterWords !== undefined) await untilAborted(signal);
  if (script.failAfterWords !== undefined) throw asked(true);
  const callsBefore = request.messages.flatMap(callsOf).length;
  const calls = script.steps.flat();
  for (const [i, { tool, args }] of calls.entries()) {
    const argumentsJson = JSON.stringify(args);
    yield { kind: "tool_call", providerCallId: `demo_${callsBefore + i + 1}`, name: tool, argumentsJson };
  }
  yield usageOf(request, words, reasoningTokens);
  yield { kind: "stop", reason: calls.length > 0 ? "tool_calls" : "end" };
}

function usageOf(request: ModelRequest, words: number, reasoningTokens: number): ModelEvent {
  const outputTokens = reasoningTokens + words;
  const inputTokens = countInput(request);
  return { kind: "usage", usage: { inputTokens, outputTokens, reasoningTokens, cachedInputTokens: 0, modelCalls: 1 } };
}

/** Waits until the word of this number is due, counted from the first so that no delay adds up. */
function createPacer(paceMs: number, clock: Clock, signal: AbortSignal): (word: number) => Promise<void> | undefined {
  const start = clock.monotonic();
  return (word) => {
    signal.throwIfAborted();
    if (paceMs === 0) return (word + 1) % WORDS_BETWEEN_BREAKS === 0 ? breather() : undefined;
    const dueInMs = start + (word + 1) * paceMs - clock.monotonic();
    return dueInMs > 0 ? delay(clock, dueInMs, signal) : undefined;
  };
}

function breather(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function asked(retryable: boolean): ModelError {
  return new ModelError("PROVIDER_ERROR", "the demo model fails because it was asked to", { retryable });
}

function* chain(first: Iterable<string>, second: Iterable<string>): Generator<string> {
  yield* first;
  yield* second;
}

function textOf({ parts }: Pick<ModelMessage, "parts">): string {
  return parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
}

/** What the user typed: no order is taken from a file that came with it. */

function lastUserText(messages: readonly ModelMessage[]): string {
  const last = messages.findLast((message) => message.role === "user");
  return last === undefined ? "" : textOf({ parts: last.parts.filter((part) => !("isAttached" in part)) });
}

/** That a message shows pictures, which is all that a script can tell of them. */
function tellImages(message: ModelMessage | undefined): string {
  const images = (message?.parts ?? []).flatMap((part) => {
    if (part.kind === "image") return [part];
    return part.kind === "tool_result" ? (part.images ?? []) : [];
  });
  if (images.length === 0) return "";
  const told = images.map(({ mediaType, sizeBytes }) => `a picture (${mediaType}, ${sizeBytes} bytes)`).join(", ");
  return `I see ${told}.\n\n`;
}

function callsOf({ parts }: ModelMessage): ToolCallPart[] {
  return parts.filter((part) => part.kind === "tool_call");
}

/** The file that a call named last; undefined = none did. */
function lastFileOf(messages: readonly ModelMessage[]): string | undefined {
  return messages
    .flatMap(callsOf)
    .map(({ name, arguments: args }) => (name === "list_files" ? undefined : args["path"]))
    .findLast((path) => typeof path === "string");
}

/** What came of calls, line by line: what a tool said comes faster than words that are made up. */
function tellEnded(ended: readonly EndedCall[]): readonly string[] {
  const told = ended.map(tellResult).join(ended.some(({ call }) => call.name !== "now") ? "\n\n" : "\n");
  return told.match(/[^\n]*\n+|[^\n]+/g) ?? [];
}

function tellMissing({ tool }: Order): string {
  return `I would ask the tool ${tool} now, but this session does not have it.`;
}

/** Each sentence once. */
function sentences(all: readonly string[]): string {
  return [...new Set(all)].join(" ");
}

/** Words of everything sent, as if they were tokens. */
function countInput({ systemPrompt, messages }: ModelRequest): number {
  const texts = messages
    .flatMap(({ parts }) => parts)
    .map((part) => ("text" in part ? part.text : part.kind === "tool_call" ? part.name : ""));
  return [systemPrompt, ...texts].reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0);
}
