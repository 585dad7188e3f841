import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "../../src/client/client.ts";
import type { Event } from "../../gen/ts/parley/v1/event_pb.ts";
import { type Turn, TurnEndReason, TurnState } from "../../gen/ts/parley/v1/turn_pb.ts";
import type { Lives } from "./lives.ts";
import { createWitness, type Witness } from "./witness.ts";

/** What a session is used for. */
export interface Habit {
  readonly name: string;
  readonly profile: string;
  readonly resumeAfterRestart: boolean;
  readonly texts: readonly string[];
  /** How many of its turns are cancelled on the way, 0 to 1. */
  readonly cancels: number;
}

/** What an engine answered; the answers that it has to stand by after every kill. */
export interface Acknowledged {
  readonly session: string;
  /** Turns by the key that started them. */
  readonly turns: Map<string, Turn>;
  /** Turns whose cancel was answered before they had ended, or when they had ended CANCELLED. */
  readonly cancelled: Set<string>;
  /** Calls that had no answer and were made again with the same key. */
  lostAnswers: number;
  /** Texts of user messages, one for each key. */
  readonly texts: Set<string>;
  title: string;
  /** A title that was asked for without an answer yet. */
  pendingTitle: string | undefined;
}

/** Uses one session, life after life, and remembers all that it was told. */
export interface Talker {
  readonly habit: Habit;
  readonly sessionId: string;
  readonly witness: Witness;
  readonly told: Acknowledged;
  /** What an engine refused that it must not refuse, and turns that ended as none may. */
  readonly complaints: string[];
  /** Turns that ended COMPLETED. */
  readonly completed: number;
  /** Resolves when a turn that was started after this call has completed. */
  nextCompleted(): Promise<void>;
  /** Says one thing after the turn that is under way, waits for its end and leaves. */
  finish(): Promise<void>;
  /** Stops at once. */
  close(): void;
}

/** Two turns take a few seconds where the machine does nothing else. */
const FINISH_LIMIT_MS = 120_000;

export async function startTalker(lives: Lives, client: () => Client, habit: Habit): Promise<Talker> {
  const key = randomUUID();
  const { answer, lost } = await lives.untilAnswered(() =>
    client().sessions.createSession({
      idempotencyKey: key,
      title: habit.name,
      profile: habit.profile,
      resumeAfterRestart: habit.resumeAfterRestart,
    }),
  );
  const sessionId = answer.session?.id ?? "";
  const witness = createWitness();
  const told: Acknowledged = {
    session: sessionId,
    turns: new Map(),
    cancelled: new Set(),
    lostAnswers: lost,
    texts: new Set(),
    title: habit.name,
    pendingTitle: undefined,
  };
  const complaints: string[] = [];
  const closing = new AbortController();
  const ends = new Map<string, TurnEndReason>();
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  let completed = 0;
  let isLast = false;
  let completions: (() => void)[] = [];

  function see(event: Event): void {
    witness.take(event);
    if (event.payload.case !== "turnEnded") return;
    ends.set(event.turnId, event.payload.value.reason);
    waiting.get(event.turnId)?.resolve();
    waiting.delete(event.turnId);
  }

  /** Watches for ever, from where it was cut off. */
  async function watch(): Promise<void> {
    while (!closing.signal.aborted) {
      await lives.ready();
      try {
        const request = { sessionId, afterSeq: witness.lastSeq };
        for await (const { payload } of client().messages.watchSession(request, { signal: closing.signal })) {
          if (payload.case === "event") see(payload.value);
        }
      } catch {
        // The engine was killed; what it had shown is in the witness.
        if (!closing.signal.aborted) await pause(5);
      }
    }
  }

  async function ended(turnId: string): Promise<TurnEndReason> {
    for (;;) {
      const reason = ends.get(turnId);
      if (reason !== undefined) return reason;
      const end = Promise.withResolvers<void>();
      waiting.set(turnId, end);
      await end.promise;
    }
  }

  /** Starts a turn, with one key however often its answer is lost. */
  async function start(text: string | undefined): Promise<Turn> {
    const idempotencyKey = randomUUID();
    const spoken = text === undefined ? undefined : `${text} #${idempotencyKey}`;
    if (spoken !== undefined) told.texts.add(spoken);
    const { answer: response, lost: lostNow } = await lives.untilAnswered<{ turn?: Turn | undefined }>(() =>
      spoken === undefined
        ? client().messages.retryTurn({ sessionId, idempotencyKey })
        : client().messages.startTurn({
            sessionId,
            idempotencyKey,
            parts: [{ content: { case: "text", value: spoken } }],
          }),
    );
    told.lostAnswers += lostNow;
    if (response.turn === undefined) throw new Error("no turn in the answer");
    told.turns.set(idempotencyKey, response.turn);
    return response.turn;
  }

  async function maybeCancel(turnId: string): Promise<void> {
    if (Math.random() >= habit.cancels) return;
    await pause(Math.random() * 300);
    const { answer: response } = await lives.untilAnswered(() => client().messages.cancelTurn({ sessionId, turnId }));
    const isCancelled =
      response.turn?.state === TurnState.CANCELLING || response.turn?.endReason === TurnEndReason.CANCELLED;
    if (isCancelled) told.cancelled.add(turnId);
  }

  async function rename(): Promise<void> {
    const title = `${habit.name} ${told.turns.size}`;
    told.pendingTitle = title;
    await lives.untilAnswered(() => client().sessions.updateSession({ sessionId, title }));
    told.title = title;
    told.pendingTitle = undefined;
  }

  async function talk(): Promise<void> {
    let last: TurnEndReason | undefined;
    for (;;) {
      const isGoodbye = isLast;
      const isRetry = !isGoodbye && last !== undefined && last !== TurnEndReason.COMPLETED && Math.random() < 0.5;
      const text = isGoodbye ? "write 3 words" : habit.texts[Math.floor(Math.random() * habit.texts.length)];
      const asked = completions;
      completions = [];
      const turn = await start(isRetry ? undefined : text);
      const [reason] = await Promise.all([
        ended(turn.id),
        isGoodbye ? undefined : maybeCancel(turn.id),
        isGoodbye ? undefined : rename(),
      ]);
      last = reason;
      if (reason === TurnEndReason.COMPLETED) {
        completed++;
        for (const resolve of asked) resolve();
      } else completions.push(...asked);
      if (isGoodbye) return;
    }
  }

  const watching = watch();
  const talking = talk().catch((error: unknown) => {
    if (!closing.signal.aborted) complaints.push(String(error));
  });
  // What they throw once the lives are closed is nobody's business.
  watching.catch(() => undefined);
  return {
    habit,
    sessionId,
    witness,
    told,
    complaints,
    get completed() {
      return completed;
    },
    nextCompleted: () => new Promise((resolve) => completions.push(resolve)),
    async finish() {
      isLast = true;
      if (!(await within(FINISH_LIMIT_MS, talking))) complaints.push(`hangs, after event ${witness.lastSeq}`);
      closing.abort(new Error("finished"));
      await watching.catch(() => undefined);
    },
    close() {
      closing.abort(new Error("closed"));
      for (const { reject } of waiting.values()) reject(closing.signal.reason);
    },
  };
}

/** Whether something is over in time. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = pause(limitMs, false, { signal: timer.signal }).catch(() => false);
  const isDone = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return isDone;
}
