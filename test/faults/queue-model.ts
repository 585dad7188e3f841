import * as fc from "fast-check";
import type { EventPayload } from "../../src/event/event.ts";
import { control, type Figure, none } from "./figure.ts";
import { createQueueWorld, type Guard, MAX_STEPS, type QueueWorld } from "./queue-world.ts";

// The queue of a session against a model of two lists. What happens to a turn (it answers, calls a tool, fails, is cancelled,
// dies with its engine) comes in any order between what is said to it; after each step list, state and conversation are the
// model's.

type Framing = "plain" | "instruction" | "replacement";

type Step =
  | { readonly do: "steer"; readonly framing: Framing }
  | { readonly do: "follow up" }
  /** From several sides in the same moment. */
  | { readonly do: "follow up at once"; readonly count: number }
  /** The last thing that was said, with its key. */
  | { readonly do: "repeat" }
  /** Somebody in the queue, from its head to its end, or somebody who has left it. */
  | { readonly do: "remove"; readonly at: number }
  | { readonly do: "remove again" }
  | { readonly do: "start" }
  | { readonly do: "retry" }
  | { readonly do: "answer" }
  | { readonly do: "call tool" }
  | { readonly do: "fail" }
  | { readonly do: "cancel" }
  | { readonly do: "kill" };

const only = (name: Step["do"]) => fc.record({ do: fc.constant(name) });
const stepArbitrary = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("steer"),
      framing: fc.constantFrom("plain", "plain", "instruction", "replacement"),
    }),
  },
  { weight: 8, arbitrary: only("follow up") },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("follow up at once"), count: fc.integer({ min: 2, max: 9 }) }) },
  { weight: 2, arbitrary: only("repeat") },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("remove"), at: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
  },
  { weight: 1, arbitrary: only("remove again") },
  { weight: 2, arbitrary: only("start") },
  { weight: 2, arbitrary: only("retry") },
  { weight: 6, arbitrary: only("answer") },
  { weight: 4, arbitrary: only("call tool") },
  { weight: 1, arbitrary: only("fail") },
  { weight: 1, arbitrary: only("cancel") },
  { weight: 1, arbitrary: only("kill") },
) as fc.Arbitrary<Step>;

/** Source: api.md, "Turns", and reliability.md. */
const STEERS = 5;
const FOLLOW_UPS = 20;
const MAX_RECOVERIES = 3;

interface Item {
  readonly text: string;
  /** Whether words of the engine go before it. */
  readonly isFramed: boolean;
}

interface QueueModel {
  isRunning: boolean;
  /** Model calls of the running turn. */
  steps: number;
  recoveries: number;
  canRetry: boolean;
  steers: Item[];
  followUps: Item[];
  /** What the conversation holds of what was said. */
  readonly said: Item[];
  calls: number;
}

function begin(model: QueueModel, item: Item | undefined): void {
  Object.assign(model, { isRunning: true, steps: 1, recoveries: 0, calls: model.calls + 1 });
  if (item !== undefined) model.said.push({ ...item, isFramed: false });
}

function end(model: QueueModel, isCompleted: boolean): void {
  const moved = model.steers.map((item) => ({ ...item, isFramed: false }));
  Object.assign(model, { isRunning: false, canRetry: !isCompleted, steers: [] });
  model.followUps.unshift(...moved);
  const next = isCompleted ? model.followUps.shift() : undefined;
  if (next !== undefined) begin(model, next);
}

/** What a turn does after a model call that was not its last, or that was cut off. */
function goOn(model: QueueModel): void {
  if (model.steps >= MAX_STEPS) return end(model, false);
  model.said.push(...model.steers.splice(0));
  model.steps++;
  model.calls++;
}

/** Runs steps against queue and model. Throws at the first difference. */
export async function runSteps(steps: readonly Step[], resumes: boolean, guard: Guard = {}): Promise<void> {
  const world = await createQueueWorld({ resumeAfterRestart: resumes }, guard);
  const model: QueueModel = {
    isRunning: false,
    steps: 0,
    recoveries: 0,
    canRetry: false,
    steers: [],
    followUps: [],
    said: [],
    calls: 0,
  };
  try {
    for (const [i, step] of steps.entries()) {
      await take(world, model, step, `words ${i}`, resumes);
      await world.settle(model.calls, model.isRunning);
      await compare(world, model, `after step ${i} ${JSON.stringify(step)}`);
    }
    checkEvents(await world.events(), await world.queued());
  } finally {
    await world.close();
  }
}

async function take(world: QueueWorld, model: QueueModel, step: Step, text: string, resumes: boolean): Promise<void> {
  const item: Item = { text, isFramed: false };
  switch (step.do) {
    case "steer": {
      const expected = !model.isRunning ? "NO_TURN_RUNNING" : model.steers.length >= STEERS ? "QUEUE_FULL" : "";
      expectSame(await world.steer(text, step.framing), expected, "steer");
      if (expected !== "") return;
      model.steers.push({ text, isFramed: step.framing !== "plain" });
      if (step.framing === "replacement") goOn(model);
      return;
    }
    case "follow up": {
      const isFull = roomFor(model) === 0;
      expectSame(await world.followUp(text), isFull ? "QUEUE_FULL" : "", "follow up");
      if (!isFull) join(model, [item]);
      return;
    }
    case "follow up at once": {
      const texts = Array.from({ length: step.count }, (_, i) => `${text}.${i}`);
      const outcomes = await Promise.all(texts.map((one) => world.followUp(one)));
      const accepted = texts.filter((_, i) => outcomes[i] === "");
      return joinAtOnce(world, model, accepted, step.count);
    }
    case "repeat":
      return expectSame(await world.repeat(), "", "repeat");
    case "remove": {
      const all = [...model.steers, ...model.followUps];
      const place = Math.floor(step.at * all.length);
      const gone = all[place];
      const id = (await world.queued())[place]?.id ?? "queued_none";
      expectSame(await world.remove(id), gone === undefined ? "QUEUED_NOT_FOUND" : "", "remove");
      model.steers = model.steers.filter((one) => one !== gone);
      model.followUps = model.followUps.filter((one) => one !== gone);
      return;
    }
    case "remove again":
      return expectSame(await world.removeGone(), "QUEUED_NOT_FOUND", "remove again");
    case "start":
      expectSame(await world.start(text), model.isRunning ? "SESSION_BUSY" : "", "start");
      if (!model.isRunning) begin(model, item);
      return;
    case "retry": {
      const expected = model.isRunning ? "SESSION_BUSY" : model.canRetry ? "" : "NOTHING_TO_RETRY";
      expectSame(await world.retry(), expected, "retry");
      if (expected === "") begin(model, undefined);
      return;
    }
    case "cancel":
      expectSame(await world.cancel(), model.isRunning ? "" : "NO_TURN_RUNNING", "cancel");
      if (model.isRunning) end(model, false);
      return;
    case "kill":
      await world.kill();
      if (!model.isRunning) return;
      if (!resumes || model.recoveries++ >= MAX_RECOVERIES) end(model, false);
      else goOn(model);
      return;
    case "answer":
    case "call tool":
    case "fail":
      if (!model.isRunning) return;
      world.modelDoes(step.do);
      if (step.do === "fail") end(model, false);
      else if (step.do === "call tool" || (model.steers.length > 0 && model.steps < MAX_STEPS)) goOn(model);
      else end(model, true);
  }
}

/** How many follow-ups are taken: where none runs, the head of the queue leaves it with the first that comes. */
function roomFor({ isRunning, followUps }: QueueModel): number {
  if (!isRunning && followUps.length === 0) return FOLLOW_UPS + 1;
  return Math.max(0, FOLLOW_UPS - followUps.length + (isRunning ? 0 : 1));
}

/** A follow-up, as it is taken by a session with room for it. */
function join(model: QueueModel, items: readonly Item[]): void {
  model.followUps.push(...items);
  const head = model.isRunning ? undefined : model.followUps.shift();
  if (head !== undefined) begin(model, head);
}

/** Nobody says who of those who come at once is first; the list does, and the head is the one that is not in it. */
async function joinAtOnce(world: QueueWorld, model: QueueModel, accepted: readonly string[], count: number) {
  expectSame(String(accepted.length), String(Math.min(roomFor(model), count)), "how many were taken");
  await world.settle(undefined, accepted.length > 0 || model.isRunning);
  const listed = (await world.queued()).map(({ text }) => text);
  const inOrder = accepted.toSorted((one, other) => listed.indexOf(one) - listed.indexOf(other));
  if (inOrder.length > 0)
    join(
      model,
      inOrder.map((text) => ({ text, isFramed: false })),
    );
}

async function compare(world: QueueWorld, model: QueueModel, when: string): Promise<void> {
  const queued = (await world.queued()).map(({ kind, text }) => `${kind}: ${text}`);
  const expected = [
    ...model.steers.map(({ text }) => `steer: ${text}`),
    ...model.followUps.map(({ text }) => `follow_up: ${text}`),
  ];
  expectSame(queued.join("\n"), expected.join("\n"), `the queue ${when}`);
  const said = model.said.map(show).join("\n");
  expectSame((await world.said()).map(show).join("\n"), said, `the conversation ${when}`);
  if (model.isRunning) expectSame(world.sentToModel().map(show).join("\n"), said, `what the model was sent ${when}`);
  expectSame(world.bugs.join("\n"), "", `bugs ${when}`);
}

function show({ text, isFramed }: Item): string {
  return isFramed ? `framed ${text}` : text;
}

/** Who only reads the log knows the same queue. */
function checkEvents(events: readonly EventPayload[], queued: readonly { readonly id: string }[]): void {
  const ids = new Set<string>();
  for (const event of events) {
    if (event.kind !== "queue_changed") continue;
    for (const { id } of event.queued) ids.add(id);
    for (const id of event.removedIds) {
      if (!ids.delete(id)) throw new Error(`the log tells twice that ${id} left the queue`);
    }
  }
  expectSame(
    [...ids].toSorted().join(),
    queued
      .map(({ id }) => id)
      .toSorted()
      .join(),
    "the queue by its events",
  );
}

function expectSame(actual: string, expected: string, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

const STEPS_PER_RUN = 100;

/** So many random steps find no difference; a store that treats the queue wrongly is found out. */
export async function queueModel(steps: number): Promise<Figure[]> {
  const right = await checkRuns(steps, {});
  if (right.report !== undefined) console.log(right.report);
  const twice = await checkRuns(CONTROL_STEPS, { write: (sql) => !sql.startsWith("DELETE FROM queued_messages") });
  const backwards = await checkRuns(CONTROL_STEPS, {
    read: (sql) => sql.replace("ORDER BY position", "ORDER BY position DESC"),
  });
  return [
    none("queue: differences from its model", right.report === undefined ? 0 : 1, right.steps),
    control("queue, taken up and not left", twice.report === undefined ? 0 : 1, "difference"),
    control("queue, read from its end", backwards.report === undefined ? 0 : 1, "difference"),
  ];
}

/** A control ends with what it finds; until then it has more steps, so that it is no matter of chance. */
const CONTROL_STEPS = 100_000;

/** Runs until so many steps are done or one of them fails; the report says how to repeat that. */
async function checkRuns(
  steps: number,
  guard: Guard,
): Promise<{ readonly steps: number; readonly report: string | undefined }> {
  const counter = { done: 0 };
  const lists = fc.array(stepArbitrary, { minLength: STEPS_PER_RUN / 2, maxLength: STEPS_PER_RUN });
  const property = fc.asyncProperty(lists, fc.boolean(), (list, resumes) => {
    counter.done += list.length;
    return runSteps(list, resumes, guard);
  });
  const isControl = guard.read !== undefined || guard.write !== undefined;
  while (counter.done < steps) {
    const result = await fc.check(property, { numRuns: 10, endOnFailure: isControl });
    const { failed, errorInstance } = result;
    if (failed) return { steps: counter.done, report: `${fc.defaultReportMessage(result)}\n${String(errorInstance)}` };
  }
  return { steps: counter.done, report: undefined };
}
