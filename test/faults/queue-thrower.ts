import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { CallOptions } from "@connectrpc/connect";
import { Framing, type QueuedMessage } from "../../gen/ts/parley/v1/queue_pb.ts";
import { type Client, reasonOf } from "../../src/client/client.ts";
import type { Lives } from "./lives.ts";
import { type Sent, tagged, tagOf } from "./queue-witness.ts";

/** A session that is thrown at. */
export interface Target {
  readonly sessionId: string;
  /** What its model is asked for. */
  readonly text: string;
  readonly sent: Sent[];
}

/** What throwers share. */
export interface Storm {
  readonly lives: Lives;
  readonly targets: readonly Target[];
  /** Answers that must not be, whatever happens to the engine. */
  readonly complaints: string[];
  /** A moment later than every other. */
  tick(): number;
  lostAnswers: number;
  refusals: number;
}

/** What an engine may refuse, by what it was asked. */
const REFUSALS: Readonly<Record<string, readonly string[]>> = {
  steer: ["NO_TURN_RUNNING", "QUEUE_FULL", "TURN_CHANGED"],
  follow_up: ["QUEUE_FULL"],
  start: ["SESSION_BUSY"],
  retry: ["SESSION_BUSY", "NOTHING_TO_RETRY", "TURN_CHANGED"],
  cancel: ["NO_TURN_RUNNING"],
  remove: ["QUEUED_NOT_FOUND"],
  list: [],
};

/** Between two calls of one client. */
const PAUSE_MS = 100;

/** The answer of an engine that may be killed meanwhile; a call is made again, the same, until there is one. */
export async function ask<T>(
  storm: Storm,
  what: string,
  call: () => Promise<T>,
): Promise<{ readonly answer: T | undefined; readonly lost: number; readonly reason: string }> {
  let lost = -1;
  try {
    const { answer } = await storm.lives.untilAnswered(() => {
      lost++;
      return call();
    });
    return { answer, lost, reason: "" };
  } catch (error) {
    const reason = reasonOf(error)?.reason ?? String(error);
    storm.refusals++;
    if (!(REFUSALS[what] ?? []).includes(reason)) storm.complaints.push(`${what} was refused with ${reason}`);
    return { answer: undefined, lost, reason };
  } finally {
    storm.lostAnswers += lost;
  }
}

/** Throws at random sessions until it is told to stop; the last call is answered when this resolves. */
export async function throwAt(storm: Storm, client: Client, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const target = oneOf(storm.targets);
    const roll = Math.random();
    if (roll < 0.42) await say(storm, client, target, "steer");
    else if (roll < 0.8) await say(storm, client, target, "follow_up");
    else if (roll < 0.88) await remove(storm, client, target);
    else if (roll < 0.92) await say(storm, client, target, "start");
    else if (roll < 0.95) await retry(storm, client, target);
    else if (roll < 0.97) await ask(storm, "cancel", () => client.messages.cancelTurn({ sessionId: target.sessionId }));
    else await look(storm, client, target);
    await pause(Math.random() * PAUSE_MS);
  }
}

/** Says one thing, with one key however often. */
export async function say(storm: Storm, client: Client, target: Target, kind: Sent["kind"]): Promise<Sent> {
  const { sessionId } = target;
  const tag = randomUUID();
  const framing = oneOf([Framing.PLAIN, Framing.INSTRUCTION, Framing.REPLACEMENT]);
  const expectedTurnId = kind === "steer" && Math.random() < 0.2 ? await runningTurn(storm, client, target) : "";
  const sent: Sent = {
    tag,
    kind,
    text: tagged(target.text, tag),
    isFramed: framing !== Framing.PLAIN,
    expectedTurnId,
    sentAt: storm.tick(),
    answeredAt: Number.POSITIVE_INFINITY,
    isAccepted: false,
    queuedId: "",
    removal: "no",
  };
  target.sent.push(sent);
  const said = { sessionId, idempotencyKey: tag, parts: [{ content: { case: "text", value: sent.text } } as const] };
  const call = async (options: CallOptions = {}): Promise<string> => {
    if (kind === "steer") return (await client.messages.steer({ ...said, framing, expectedTurnId }, options)).queuedId;
    if (kind === "start") return (await client.messages.startTurn(said, options)).turn?.id ?? "";
    const { queuedId, turn } = await client.messages.followUp(said, options);
    return queuedId || (turn?.id ?? "");
  };
  // Some do not wait for their answer, and some send twice at once.
  if (Math.random() < 0.1)
    await call({ signal: AbortSignal.timeout(Math.floor(Math.random() * 10)) }).catch(() => undefined);
  const answers = await Promise.all(
    Array.from({ length: Math.random() < 0.1 ? 2 : 1 }, () => ask(storm, kind, () => call())),
  );
  sent.answeredAt = storm.tick();
  const ids = new Set(answers.flatMap(({ answer }) => (answer === undefined ? [] : [answer])));
  if (ids.size > 1) storm.complaints.push(`one key of ${kind} was answered with ${[...ids].join(" and ")}`);
  sent.isAccepted = ids.size > 0;
  sent.queuedId = [...ids].find((id) => id.startsWith("queued_")) ?? "";
  return sent;
}

async function runningTurn(storm: Storm, client: Client, { sessionId }: Target): Promise<string> {
  const { answer } = await ask(storm, "list", () => client.sessions.getSession({ sessionId }));
  return answer?.session?.runningTurnId ?? "";
}

/** Takes something out that was queued not long ago. */
async function remove(storm: Storm, client: Client, { sessionId, sent }: Target): Promise<void> {
  const queued = sent.slice(-20).filter(({ queuedId, removal }) => queuedId !== "" && removal === "no");
  if (queued.length === 0) return;
  const one = oneOf(queued);
  one.removal = "maybe";
  const { answer, lost } = await ask(storm, "remove", () =>
    client.messages.removeQueued({ sessionId, queuedId: one.queuedId }),
  );
  if (answer !== undefined) one.removal = "yes";
  // A call without an answer may have done it; else it was taken up.
  else if (lost === 0) one.removal = "no";
}

async function retry(storm: Storm, client: Client, { sessionId }: Target): Promise<void> {
  const idempotencyKey = randomUUID();
  await ask(storm, "retry", () => client.messages.retryTurn({ sessionId, idempotencyKey }));
}

/** What a list shows while things move: nobody twice, nobody who was removed, steers before follow-ups. */
async function look(storm: Storm, client: Client, { sessionId, sent }: Target): Promise<void> {
  const removed = new Set(sent.filter(({ removal }) => removal === "yes").map(({ tag }) => tag));
  const { answer } = await ask(storm, "list", () => client.messages.listQueue({ sessionId }));
  const tags = (answer?.queued ?? []).map(({ preview }) => tagOf(preview));
  if (new Set(tags).size !== tags.length) storm.complaints.push("a list shows somebody twice");
  if (tags.some((tag) => removed.has(tag))) storm.complaints.push("a list shows somebody who was removed");
  if (!isInOrder(answer?.queued ?? [])) storm.complaints.push("a list shows a follow-up before a steer");
}

function isInOrder(queued: readonly QueuedMessage[]): boolean {
  return queued.every(({ kind }, i) => i === 0 || kind >= (queued[i - 1]?.kind ?? kind));
}

function oneOf<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}
