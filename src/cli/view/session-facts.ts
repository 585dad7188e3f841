import {
  type ApprovalMode,
  type Event,
  type QueuedMessage,
  QueuedKind,
  type Session,
  type Usage,
} from "../../client/client.ts";

/** What a human wants to know of a session at a glance, kept up with its events. */
export interface SessionFacts {
  readonly title: string;
  readonly model: string;
  readonly profile: string;
  readonly isStarred: boolean;
  /** How much it may do without asking. */
  readonly mode: ApprovalMode;
  /** In and out, of all its turns. */
  readonly tokens: bigint;
  readonly runningTurnId: string | undefined;
  /** Since when, by the local clock in milliseconds. */
  readonly runningSinceMs: number;
  /** What waits: steers first, each the next one first. */
  readonly queue: readonly QueuedMessage[];
  see(event: Event): void;
  /** Takes over what waits. */
  takeQueue(queue: readonly QueuedMessage[]): void;
  /** Takes over all but what is counted, and what waits. */
  take(session: Session): void;
  /** What is counted comes again, from the first event; how the session is now is not told by it. */
  forget(): void;
  /** Whether what is told is long past, from `forget` to `take`. */
  readonly isReplaying: boolean;
}

export function createSessionFacts(session: Session, nowMs: () => number): SessionFacts {
  const queue = new Map<string, QueuedMessage>();
  let { title, model, profile, starred, approvalMode: mode } = session;
  let tokens = tokensOf(session.usage);
  let runningTurnId = session.runningTurnId || undefined;
  let runningSinceMs = nowMs();
  let isReplaying = false;

  function takeSettings(now: Session): void {
    ({ title, model, profile, starred, approvalMode: mode } = now);
  }
  return {
    get title() {
      return title;
    },
    get model() {
      return model;
    },
    get profile() {
      return profile;
    },
    get isStarred() {
      return starred;
    },
    get mode() {
      return mode;
    },
    get tokens() {
      return tokens;
    },
    get runningTurnId() {
      return runningTurnId;
    },
    get runningSinceMs() {
      return runningSinceMs;
    },
    get queue() {
      const waiting = [...queue.values()];
      return [...waiting.filter(isSteer), ...waiting.filter((message) => !isSteer(message))];
    },
    see({ payload, turnId }) {
      if (payload.case === "turnStarted") {
        runningTurnId = turnId;
        runningSinceMs = nowMs();
      } else if (payload.case === "turnEnded") {
        if (runningTurnId === turnId) runningTurnId = undefined;
      } else if (payload.case === "usageReported") {
        tokens += tokensOf(payload.value.usage);
      } else if (payload.case === "modelChanged") {
        if (!isReplaying) ({ model, profile } = payload.value);
      } else if (payload.case === "sessionChanged") {
        if (payload.value.session !== undefined && !isReplaying) takeSettings(payload.value.session);
      } else if (payload.case === "queueChanged") {
        for (const id of payload.value.removedIds) queue.delete(id);
        for (const message of payload.value.queued) queue.set(message.id, message);
      }
    },
    takeQueue(waiting) {
      queue.clear();
      for (const message of waiting) queue.set(message.id, message);
    },
    take(now) {
      isReplaying = false;
      takeSettings(now);
    },
    get isReplaying() {
      return isReplaying;
    },
    forget() {
      isReplaying = true;
      queue.clear();
      tokens = 0n;
      runningTurnId = undefined;
    },
  };
}

function isSteer({ kind }: QueuedMessage): boolean {
  return kind === QueuedKind.STEER;
}

function tokensOf(usage: Usage | undefined): bigint {
  return usage === undefined ? 0n : usage.inputTokens + usage.outputTokens;
}
