import type { Model, ModelEvent, ModelRequest } from "../../src/model/model.ts";
import type { ModelCache } from "../../src/model/model-cache.ts";

/** One answer: its pieces, an error to throw, or a function that makes them as it likes. */
export type Answer =
  | readonly (ModelEvent | Error)[]
  | ((request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelEvent>);

/** A model that says what the test tells it, answer by answer, and remembers what it was asked. */
export interface ScriptedModel {
  readonly requests: ModelRequest[];
  readonly models: ModelCache;
  /** How many of its clients are in use. */
  leases(): number;
}

export function scriptModel(...answers: readonly Answer[]): ScriptedModel {
  const requests: ModelRequest[] = [];
  let leases = 0;
  const model: Model = {
    stream(request, signal) {
      const answer = answers[requests.length];
      requests.push(request);
      if (answer === undefined) throw new Error(`the script has no answer ${requests.length}`);
      return typeof answer === "function" ? answer(request, signal) : replay(answer);
    },
    close: async () => {},
  };
  return {
    requests,
    leases: () => leases,
    models: {
      acquire() {
        leases++;
        return { model, release: () => leases-- };
      },
      close: async () => {},
    },
  };
}

async function* replay(events: readonly (ModelEvent | Error)[]): AsyncGenerator<ModelEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

/** A whole answer of so many pieces of text. */
export function says(...texts: readonly string[]): ModelEvent[] {
  return [...texts.map((text) => ({ kind: "text", text }) as const), { kind: "stop", reason: "end" }];
}

/** An answer that asks for calls, each `[name, arguments as JSON]`. */
export function asksFor(...calls: readonly (readonly [name: string, argumentsJson: string])[]): ModelEvent[] {
  return [
    ...calls.map(
      ([name, argumentsJson], i) => ({ kind: "tool_call", providerCallId: `p${i}`, name, argumentsJson }) as const,
    ),
    { kind: "stop", reason: "tool_calls" },
  ];
}

/** Says something, then nothing more until it is aborted. */
export async function* hangsAfter(text: string, signal: AbortSignal): AsyncGenerator<ModelEvent> {
  yield { kind: "text", text };
  await new Promise((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );
}
