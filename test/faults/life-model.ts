import * as fc from "fast-check";
import { MessageStatus, Role } from "../../src/client/client.ts";
import type { Message } from "../../src/message/message.ts";
import { control, type Figure, none } from "./figure.ts";
import { createLifeWorld, type KeepSql, type LifeWorld, type Outcome, type WatchedPicture } from "./life-world.ts";

// The life of sessions against a model of lists of messages. Whatever is said, edited, taken back, forked, removed and cut
// off in whatever order: what is stored, what a snapshot shows, what the log tells from its beginning, and what clients have
// that took a snapshot at some time and have watched since then, is the model's.

type Step =
  | { readonly do: "create" }
  | { readonly do: "append"; readonly on: number; readonly role: "user" | "assistant" | "system" }
  | { readonly do: "update" | "rewind" | "fork"; readonly on: number; readonly at: number }
  | { readonly do: "clear" | "start" | "retry" | "cancel" | "delete"; readonly on: number }
  | { readonly do: "answer" | "call tool" | "fail" | "restart" }
  /** A client takes a snapshot, with so many messages, and watches from then on. */
  | { readonly do: "look"; readonly on: number; readonly messages: number }
  | { readonly do: "wait"; readonly ms: number };

const MAX_SESSIONS = 3;
const MAX_PICTURES = 6;

const on = fc.nat(MAX_SESSIONS - 1);
const at = fc.double({ min: 0, max: 0.999, noNaN: true });
const only = (name: Step["do"]) => fc.record({ do: fc.constant(name) });
const of = (name: Step["do"]) => fc.record({ do: fc.constant(name), on });
const within = (name: Step["do"]) => fc.record({ do: fc.constant(name), on, at });
const role = fc.constantFrom("user", "user", "assistant", "system");
const messages = fc.constantFrom(1, 2, 5, 1000);
const ms = fc.constantFrom(20, 2000, 61_000);
const stepArbitrary = fc.oneof(
  { weight: 1, arbitrary: only("create") },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("append"), on, role }) },
  { weight: 5, arbitrary: within("update") },
  { weight: 4, arbitrary: within("rewind") },
  { weight: 2, arbitrary: within("fork") },
  { weight: 1, arbitrary: of("clear") },
  { weight: 10, arbitrary: of("start") },
  { weight: 3, arbitrary: of("retry") },
  { weight: 2, arbitrary: of("cancel") },
  { weight: 1, arbitrary: of("delete") },
  { weight: 10, arbitrary: only("answer") },
  { weight: 6, arbitrary: only("call tool") },
  { weight: 2, arbitrary: only("fail") },
  { weight: 1, arbitrary: only("restart") },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("look"), on, messages }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait"), ms }) },
) as fc.Arbitrary<Step>;

interface ModelMessage {
  /** Learned from the store, once the message is there. */
  id: string;
  readonly role: Message["role"];
  status: Message["status"];
  /** Its text, without calls. */
  text: string;
  /** Whether it asks for a call, which the next message answers. */
  asks: boolean;
}

interface ModelTurn {
  readonly id: string;
  /** How many messages there were before it. */
  readonly start: number;
  state: "running" | "completed" | "broken off";
}

interface ModelSession {
  readonly id: string;
  messages: ModelMessage[];
  turns: ModelTurn[];
  readonly gone: string[];
}

interface Model {
  sessions: ModelSession[];
  pictures: WatchedPicture[];
  calls: number;
  /** How many sessions were there at one time or another. */
  made: number;
}

/** Runs steps against engine and model. Throws at the first difference. */
async function runSteps(steps: readonly Step[], keep: KeepSql): Promise<void> {
  const world = await createLifeWorld(keep);
  const model: Model = { sessions: [], pictures: [], calls: 0, made: 0 };
  try {
    for (const [i, step] of [{ do: "create" } as const, ...steps].entries()) {
      await take(world, model, step, `words ${i}`);
      for (const one of model.sessions) await compare(world, model, one, `after step ${i} ${JSON.stringify(step)}`);
    }
    await checkRows(world, model);
  } finally {
    await world.close();
  }
}

async function take(world: LifeWorld, model: Model, step: Step, text: string): Promise<void> {
  switch (step.do) {
    case "create":
      if (model.sessions.length < MAX_SESSIONS) addSession(model, await world.create(), []);
      return;
    case "answer":
    case "call tool":
    case "fail":
      return modelDoes(world, model, step.do);
    case "restart":
      await world.restart();
      for (const one of model.sessions) breakOff(one, "interrupted");
      return;
    case "wait":
      return world.advance(step.ms);
    case "append":
    case "update":
    case "rewind":
    case "fork":
    case "clear":
    case "start":
    case "retry":
    case "cancel":
    case "delete":
    case "look": {
      const one = model.sessions[step.on % Math.max(1, model.sessions.length)];
      if (one !== undefined) await takeOn(world, model, one, step, text);
    }
  }
}

type StepOn = Extract<Step, { readonly on: number }>;

async function takeOn(world: LifeWorld, model: Model, one: ModelSession, step: StepOn, text: string): Promise<void> {
  const busy = runningOf(one) === undefined ? "" : "SESSION_BUSY";
  switch (step.do) {
    case "append":
      expectOutcome(await world.append(one.id, step.role, text), busy);
      if (busy === "") one.messages.push({ id: "", role: step.role, status: "complete", text, asks: false });
      return;
    case "clear":
      expectOutcome(await world.clear(one.id), busy);
      if (busy === "") cut(one, 0);
      return;
    case "update":
    case "rewind":
    case "fork":
      return takeAt(world, model, one, step, text);
    case "start":
    case "retry":
      // The model speaks to one at a time.
      if (model.sessions.some((other) => other !== one && runningOf(other) !== undefined)) return;
      return begin(world, model, one, step.do === "start" ? text : undefined);
    case "cancel":
      expectOutcome(await world.cancel(one.id), busy === "" ? "NO_TURN_RUNNING" : "");
      breakOff(one, "cancelled");
      return;
    case "delete":
      expectOutcome(await world.delete(one.id), "");
      expectOutcome(await world.clear(one.id), "SESSION_NOT_FOUND");
      model.sessions = model.sessions.filter((other) => other !== one);
      model.pictures = model.pictures.filter(({ sessionId }) => sessionId !== one.id);
      return;
    case "look":
      model.pictures.push(await world.openPicture(one.id, step.messages));
      model.pictures = model.pictures.slice(-MAX_PICTURES);
  }
}

/** What is done to one of the messages. */
async function takeAt(
  world: LifeWorld,
  model: Model,
  one: ModelSession,
  step: { readonly do: "update" | "rewind" | "fork"; readonly at: number },
  text: string,
): Promise<void> {
  const isBusy = runningOf(one) !== undefined;
  const whole = one.messages.filter(({ status }) => status !== "streaming");
  const place = Math.floor(step.at * whole.length);
  const message = whole[place];
  const missing = message === undefined ? "MESSAGE_NOT_FOUND" : "";
  const id = message?.id ?? "msg_none";
  // Calls and their results are not taken apart.
  const first = message?.role === "tool" ? place - 1 : place;
  switch (step.do) {
    case "update": {
      const expected = isBusy ? "SESSION_BUSY" : missing || (message?.role === "tool" ? "MESSAGE_NOT_EDITABLE" : "");
      expectOutcome(await world.update(one.id, id, text), expected);
      if (expected === "" && message !== undefined) message.text = text;
      return;
    }
    case "rewind":
      expectOutcome(await world.rewind(one.id, id), isBusy ? "SESSION_BUSY" : missing);
      if (!isBusy && message !== undefined) cut(one, first);
      return;
    case "fork": {
      if (model.sessions.length >= MAX_SESSIONS) return;
      const forked = await world.fork(one.id, id);
      expectOutcome(forked, missing);
      const taken = whole.slice(0, first).map((known) => ({ ...known, id: "" }));
      if ("made" in forked) addSession(model, forked.made.id, taken);
    }
  }
}

function addSession(model: Model, id: string, taken: ModelMessage[]): void {
  model.sessions.push({ id, messages: taken, turns: [], gone: [] });
  model.made++;
}

function runningOf({ turns }: ModelSession): ModelTurn | undefined {
  return turns.find(({ state }) => state === "running");
}

async function begin(world: LifeWorld, model: Model, one: ModelSession, text: string | undefined): Promise<void> {
  const isBusy = runningOf(one) !== undefined;
  const isRefused = !isBusy && text === undefined && !canRetry(one);
  const outcome = text === undefined ? await world.retry(one.id) : await world.start(one.id, text);
  expectOutcome(outcome, isBusy ? "SESSION_BUSY" : isRefused ? "NOTHING_TO_RETRY" : "");
  if (!("made" in outcome)) return;
  one.turns.push({ id: outcome.made.id, start: one.messages.length, state: "running" });
  if (text !== undefined) one.messages.push({ id: "", role: "user", status: "complete", text, asks: false });
  await speak(world, model, one);
}

/** The model is called, and begins to speak. */
async function speak(world: LifeWorld, model: Model, one: ModelSession): Promise<void> {
  const text = `say ${++model.calls};`;
  one.messages.push({ id: "", role: "assistant", status: "streaming", text, asks: false });
  await world.settle(one.id, ({ partial }) => partial?.text === text);
}

function canRetry({ turns, messages: all }: ModelSession): boolean {
  if (turns.at(-1)?.state === "broken off") return true;
  const last = all.findLast(({ status }) => status === "complete");
  return last !== undefined && (last.role !== "assistant" || last.asks);
}

async function modelDoes(world: LifeWorld, model: Model, what: "answer" | "call tool" | "fail"): Promise<void> {
  const one = model.sessions.find((session) => runningOf(session) !== undefined);
  const message = one?.messages.at(-1);
  const turn = one && runningOf(one);
  if (one === undefined || message === undefined || turn === undefined) return;
  world.told.do(what);
  if (what === "fail") breakOff(one, "failed");
  else message.status = "complete";
  if (what === "answer") {
    message.text += " done";
    turn.state = "completed";
  }
  if (what !== "call tool") return world.settle(one.id, ({ runningTurn }) => runningTurn === undefined);
  message.asks = true;
  one.messages.push({ id: "", role: "tool", status: "complete", text: "{}", asks: false });
  await speak(world, model, one);
}

/** The running turn ends before its answer is whole. */
function breakOff(one: ModelSession, status: "cancelled" | "failed" | "interrupted"): void {
  const turn = runningOf(one);
  if (turn === undefined) return;
  turn.state = "broken off";
  const last = one.messages.at(-1);
  if (last?.status === "streaming") last.status = status;
}

/** From this message on all is gone, and every turn that has none left. */
function cut(one: ModelSession, first: number): void {
  one.messages = one.messages.slice(0, first);
  one.gone.push(...one.turns.filter(({ start }) => start >= first).map(({ id }) => id));
  one.turns = one.turns.filter(({ start }) => start < first);
}

async function compare(world: LifeWorld, model: Model, one: ModelSession, when: string): Promise<void> {
  const { messages: stored, partial, session, runningTurn } = await world.snapshot(one.id);
  const open =
    partial === undefined ? [] : [{ ...partial.message, parts: [{ kind: "text", text: partial.text } as const] }];
  const all = [...stored, ...open];
  const expected = one.messages.map(({ role: by, status, text }) => `${by} ${status} ${text}`);
  expectSame(all.map(showStored), expected, `what is stored ${when}`);
  for (const [i, { id }] of all.entries()) Object.assign(one.messages[i] ?? {}, { id });
  expectSame([session.lastTurnId], [one.turns.at(-1)?.id ?? ""], `the last turn ${when}`);
  expectSame([runningTurn?.id], [runningOf(one)?.id], `the running turn ${when}`);

  const shown = one.messages.map(({ id, text }) => `${id} ${text}`);
  const log = world.openLog(one.id);
  await world.catchUp(log);
  expectSame(showPicture(log), shown, `what the log tells ${when}`);
  const turnsOf = (kind: "turnStarted" | "turnEnded") =>
    log.events.filter(({ payload }) => payload.case === kind).map(({ turnId }) => turnId);
  expectSame(
    turnsOf("turnStarted"),
    one.turns.map(({ id }) => id),
    `the turns that the log tells ${when}`,
  );
  const ended = one.turns.filter(({ state }) => state !== "running");
  expectSame(
    turnsOf("turnEnded"),
    ended.map(({ id }) => id),
    `the ends that the log tells ${when}`,
  );
  for (const picture of model.pictures) {
    if (picture.sessionId !== one.id) continue;
    await world.catchUp(picture);
    const own = showPicture(picture);
    // One that began with the newest messages has no older ones, also when those are the newest again.
    const newest = own.length === 0 ? [] : shown.slice(-own.length);
    expectSame(own, picture.isWhole ? shown : newest, `what a client has ${when}`);
  }
  for (const turnId of one.gone)
    expectSame([await world.findTurn(one.id, turnId)], [undefined], `a turn that is gone ${when}`);
  expectSame(world.bugs, [], `bugs ${when}`);
}

function showStored({ role: by, status, parts }: Pick<Message, "role" | "status" | "parts">): string {
  return `${by} ${status} ${parts.map((part) => ("text" in part ? part.text : "")).join("")}`;
}

function showPicture({ transcript }: WatchedPicture): string[] {
  return [...transcript.messages.values()].map(({ id, text, role: by, status, message }) => {
    if (status !== MessageStatus.UNSPECIFIED && by !== Role.TOOL && message === undefined) return `${id} is not whole`;
    return `${id} ${text}`;
  });
}

/** In the end nothing is on the disk that belongs to nobody. */
async function checkRows(world: LifeWorld, { sessions }: Model): Promise<void> {
  const all = sessions.flatMap((one) => one.messages);
  expectSame([await world.countRows("messages")], [all.length], "rows of messages");
  expectSame([await world.countRows("turns")], [sessions.flatMap(({ turns }) => turns).length], "rows of turns");
  let events = 0;
  for (const { id } of sessions) {
    const log = world.openLog(id);
    await world.catchUp(log);
    events += log.events.filter(
      ({ payload }) => payload.case !== "textDelta" && payload.case !== "reasoningDelta",
    ).length;
  }
  expectSame([await world.countRows("events")], [events], "rows of events");
}

function expectOutcome(outcome: Outcome<unknown>, refused: string): void {
  const actual = "refused" in outcome ? outcome.refused : "";
  if (actual !== refused) throw new Error(`${actual || "accepted"}, not ${refused || "accepted"}`);
}

function expectSame(actual: readonly unknown[], expected: readonly unknown[], what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

const STEPS_PER_RUN = 60;

/** So many random steps find no difference; a store that keeps what was removed is found out. */
export async function lifeModel(steps: number): Promise<Figure[]> {
  const right = await checkRuns(steps, () => true);
  if (right.report !== undefined) console.log(right.report);
  const wrong = {
    "events that come back after a restart": "INSERT INTO removed_ranges",
    "turns that stay without their messages": "DELETE FROM turns",
  };
  const controls: Figure[] = [];
  for (const [name, sql] of Object.entries(wrong)) {
    const { report } = await checkRuns(CONTROL_STEPS, (statement) => !statement.startsWith(sql), true);
    controls.push(control(`session life, ${name}`, report === undefined ? 0 : 1, "difference"));
  }
  return [
    none("session life: differences from its model", right.report === undefined ? 0 : 1, right.steps),
    ...controls,
  ];
}

/** A control ends with what it finds; until then it has more steps, so that it is no matter of chance. */
const CONTROL_STEPS = 100_000;

/** Runs until so many steps are done or one of them fails; the report says how to repeat that. */
async function checkRuns(
  steps: number,
  keep: KeepSql,
  isControl = false,
): Promise<{ readonly steps: number; readonly report: string | undefined }> {
  const counter = { done: 0 };
  const lists = fc.array(stepArbitrary, { minLength: STEPS_PER_RUN / 2, maxLength: STEPS_PER_RUN });
  const property = fc.asyncProperty(lists, (list) => {
    counter.done += list.length;
    return runSteps(list, keep);
  });
  while (counter.done < steps) {
    const { failed, ...result } = await fc.check(property, { numRuns: 10, endOnFailure: isControl });
    if (failed) {
      const { errorInstance } = result;
      return {
        steps: counter.done,
        report: `${fc.defaultReportMessage({ failed, ...result } as never)}\n${String(errorInstance)}`,
      };
    }
  }
  return { steps: counter.done, report: undefined };
}
