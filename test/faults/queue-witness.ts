import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import { Role } from "../../gen/ts/parley/v1/message_pb.ts";
import { QueuedKind, type QueuedMessage } from "../../gen/ts/parley/v1/queue_pb.ts";
import { wholeMessage } from "../../src/client/transcript.ts";

/** What can be wrong with a queue. */
export type QueueFault =
  /** Accepted, and neither taken up nor listed nor removed; or removed, and not by anybody. */
  | "lost"
  /** Taken up, or taken up and still listed, or refused and there all the same. */
  | "twice"
  /** Taken up before somebody who was there first. */
  | "order"
  /** ListQueue shows another queue than the events tell. */
  | "list"
  /** Another text, another turn, or somebody that nobody sent. */
  | "changed";

export interface QueueViolation {
  readonly fault: QueueFault;
  readonly detail: string;
}

/** One message that somebody sent, and what they were told. */
export interface Sent {
  /** Is in the text, and in no other. */
  readonly tag: string;
  readonly text: string;
  readonly kind: "steer" | "follow_up" | "start";
  readonly isFramed: boolean;
  readonly expectedTurnId: string;
  /** Moments on one clock that never shows a moment twice. */
  readonly sentAt: number;
  answeredAt: number;
  isAccepted: boolean;
  /** Empty where it never waited. */
  queuedId: string;
  /** "maybe": asked for, and the answer was lost. */
  removal: "no" | "maybe" | "yes";
}

export function tagged(text: string, tag: string): string {
  return `${text} #${tag}`;
}

/** The tag of a text; empty where it has none. */
export function tagOf(text: string): string {
  return /#([\w-]+)$/.exec(text)?.[1] ?? "";
}

/** A message that a turn took up. */
interface TakenUp {
  readonly tag: string;
  readonly text: string;
  readonly turnId: string;
  readonly seq: bigint;
}

interface Waiting {
  readonly id: string;
  readonly tag: string;
}

/** The queue as a log tells of it, from its first event to its last. */
interface Told {
  readonly taken: ReadonlyMap<string, readonly TakenUp[]>;
  /** Tags of those that were taken up by the turn that ran. */
  readonly asSteer: ReadonlySet<string>;
  readonly joined: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
  readonly waiting: readonly Waiting[];
  readonly violations: QueueViolation[];
}

/**
 * Compares what was sent with the whole log of a session that rests, and with its list. Each accepted message is taken up
 * once, or listed, or removed; who was there first is taken up first; steers that no turn took up go before the follow-ups.
 */
export function checkQueue(
  sent: readonly Sent[],
  replay: readonly Event[],
  listed: readonly QueuedMessage[],
): QueueViolation[] {
  const told = readQueue(replay);
  const known = new Set(sent.map(({ tag }) => tag));
  const strangers = [...told.taken.keys(), ...told.joined].filter((tag) => !known.has(tag));
  return [
    ...told.violations,
    ...strangers.map((tag) => ({ fault: "changed", detail: `nobody sent ${tag}` }) as const),
    ...checkList(told, listed),
    ...sent.flatMap((one) => checkOne(one, told, listed)),
    ...checkFollowUpOrder(sent, told),
  ];
}

function readQueue(replay: readonly Event[]): Told {
  const taken = readTaken(replay);
  const steers: Waiting[] = [];
  const followUps: Waiting[] = [];
  const asSteer = new Set<string>();
  const joined = new Set<string>();
  const removed = new Set<string>();
  const violations: QueueViolation[] = [];
  const complain = (fault: QueueFault, detail: string): void => void violations.push({ fault, detail });

  function join(queued: readonly QueuedMessage[]): void {
    const moved = queued.filter(({ id }) => steers.some((steer) => steer.id === id));
    if (moved.length > 0 && moved.map(({ id }) => id).join() !== steers.map(({ id }) => id).join()) {
      complain("order", `steers ${steers.length} became ${moved.length} follow-ups in another order`);
    }
    for (const { id } of moved) steers.splice(indexOf(steers, id), 1);
    followUps.unshift(...moved.map(toWaiting));
    for (const message of queued) {
      const { id, tag } = toWaiting(message);
      if (moved.some((other) => other.id === id)) continue;
      if (joined.has(tag)) complain("twice", `${tag} joined the queue again`);
      joined.add(tag);
      (message.kind === QueuedKind.STEER ? steers : followUps).push({ id, tag });
    }
  }

  function leave(id: string): void {
    const list = indexOf(steers, id) >= 0 ? steers : followUps;
    const place = indexOf(list, id);
    const [left] = place < 0 ? [] : list.splice(place, 1);
    if (left === undefined) return complain("twice", `${id} left the queue and was not in it`);
    if (!taken.has(left.tag)) return void removed.add(left.tag);
    if (place > 0) complain("order", `${left.tag} was taken up before ${place} others`);
    if (list === steers) asSteer.add(left.tag);
  }

  let lastTurnId = "";
  for (const { turnId, payload } of replay) {
    if (payload.case === "queueChanged") {
      join(payload.value.queued);
      for (const id of payload.value.removedIds) leave(id);
    } else if (payload.case === "messageCompleted" && payload.value.message?.role === Role.USER) {
      const tag = tagOf(wholeMessage(payload.value.message).text);
      // A steer is said just before it leaves the queue; anything else begins a turn.
      if (turnId === lastTurnId && !steers.some((steer) => steer.tag === tag)) {
        complain("changed", `${tag} was said in the middle of turn ${turnId}`);
      }
      lastTurnId = turnId;
    }
  }
  return { taken, asSteer, joined, removed, waiting: [...steers, ...followUps], violations };
}

function readTaken(replay: readonly Event[]): Map<string, TakenUp[]> {
  const taken = new Map<string, TakenUp[]>();
  for (const { seq, turnId, payload } of replay) {
    if (payload.case !== "messageCompleted" || payload.value.message?.role !== Role.USER) continue;
    const { text } = wholeMessage(payload.value.message);
    const tag = tagOf(text);
    taken.set(tag, [...(taken.get(tag) ?? []), { tag, text, turnId, seq }]);
  }
  return taken;
}

function toWaiting({ id, preview }: QueuedMessage): Waiting {
  return { id, tag: tagOf(preview) };
}

function indexOf(list: readonly Waiting[], id: string): number {
  return list.findIndex((other) => other.id === id);
}

function checkList(told: Told, listed: readonly QueuedMessage[]): QueueViolation[] {
  const shown = listed.map(({ id }) => id);
  const expected = told.waiting.map(({ id }) => id);
  if (shown.join() === expected.join()) return [];
  return [{ fault: "list", detail: `${shown.length} listed, ${expected.length} wait by the log, or in another order` }];
}

function checkOne(sent: Sent, told: Told, listed: readonly QueuedMessage[]): QueueViolation[] {
  const { tag, kind, isAccepted, removal } = sent;
  const taken = told.taken.get(tag) ?? [];
  const times = taken.length + listed.filter(({ preview }) => tagOf(preview) === tag).length;
  const isRemoved = told.removed.has(tag);
  const what = `${kind} ${tag}`;
  if (!isAccepted) return times === 0 ? [] : [{ fault: "twice", detail: `${what} was refused and is there` }];
  if (times > 1) return [{ fault: "twice", detail: `${what} is there ${times} times` }];
  if (times === 0 && !(isRemoved && removal !== "no")) {
    return [{ fault: "lost", detail: `${what} was accepted and is gone` }];
  }
  if (times === 1 && removal === "yes") return [{ fault: "twice", detail: `${what} was removed and is there` }];
  return taken.flatMap((one) => checkTaken(sent, one, told));
}

/** What was taken up is what was sent, for the turn it was sent to. */
function checkTaken({ tag, text, isFramed, expectedTurnId }: Sent, one: TakenUp, told: Told): QueueViolation[] {
  const asSteer = told.asSteer.has(tag);
  const isText = asSteer && isFramed ? one.text !== text && one.text.endsWith(text) : one.text === text;
  if (!isText) return [{ fault: "changed", detail: `${tag} was taken up as ${one.text}` }];
  if (!asSteer || expectedTurnId === "" || expectedTurnId === one.turnId) return [];
  return [{ fault: "changed", detail: `${tag} was for turn ${expectedTurnId} and went to ${one.turnId}` }];
}

/** Whoever was told "accepted" before another was even sent goes first, whatever the log says of their places. */
function checkFollowUpOrder(sent: readonly Sent[], { taken, removed }: Told): QueueViolation[] {
  const stays = sent.filter(({ tag, kind, isAccepted }) => kind === "follow_up" && isAccepted && !removed.has(tag));
  const seqOf = (tag: string): bigint | undefined => taken.get(tag)?.[0]?.seq;
  return stays.flatMap((later) => {
    const laterSeq = seqOf(later.tag);
    if (laterSeq === undefined) return [];
    const overtaken = stays.find(({ tag, answeredAt }) => {
      const seq = seqOf(tag);
      return answeredAt < later.sentAt && (seq === undefined || seq > laterSeq);
    });
    return overtaken === undefined
      ? []
      : [{ fault: "order", detail: `${later.tag} overtook ${overtaken.tag}` } as const];
  });
}
