import { DomainError } from "../errors.ts";
import { endOnce, type EndDeps } from "./end-request.ts";
import { findNextDeadline, getRequest, listDue } from "./request-store.ts";

/** Ends requests at their deadlines. */
export interface Expiry {
  /** Ends what became due while nobody looked, then waits for the next. Resolves when that is stored. */
  start(): Promise<void>;
  /** Says that a request of this deadline was opened. */
  expect(deadlineMs: number): void;
  /** Ends this request, where it is due. Throws DomainError `REQUEST_NOT_FOUND`. */
  expire(requestId: string): Promise<void>;
  close(): Promise<void>;
}

export interface ExpiryDeps extends EndDeps {
  readonly onBug: (what: string, error: unknown) => void;
}

/** The clock on the wall may be set: how long is left is looked up again after this at the latest. */
const MAX_WAIT_MS = 60 * 60_000;
/** After a failure, such as a full disk, it is tried again. */
const RETRY_MS = 5000;
const AT_ONCE = 100;

export function createExpiry(deps: ExpiryDeps): Expiry {
  const { db, clock } = deps;
  let nextMs = Infinity;
  let cancelTimer: (() => void) | undefined;
  let current: Promise<void> = Promise.resolve();
  let isClosed = false;

  function schedule(deadlineMs: number): void {
    if (isClosed) return;
    cancelTimer?.();
    nextMs = deadlineMs;
    cancelTimer = clock.after(Math.min(Math.max(0, deadlineMs - clock.now()), MAX_WAIT_MS), run);
  }

  function run(): void {
    current = current.then(expireDue).catch((error: unknown) => {
      deps.onBug("ending requests at their deadlines", error);
      schedule(clock.now() + RETRY_MS);
    });
  }

  /** Ends all that are due, then waits for the next deadline. */
  async function expireDue(): Promise<void> {
    nextMs = Infinity;
    for (;;) {
      const due = isClosed ? [] : await listDue(db, clock.now(), AT_ONCE);
      if (due.length === 0) break;
      await Promise.all(due.map(expireOne));
    }
    const deadlineMs = await findNextDeadline(db);
    // One that was opened meanwhile may be earlier.
    if (deadlineMs !== undefined) schedule(Math.min(deadlineMs, nextMs));
  }

  async function expireOne(requestId: string): Promise<void> {
    try {
      await endOnce(deps, requestId, ({ defaultAnswer: answer }) => {
        return { state: "expired", answer, endReason: "", actor: "" };
      });
    } catch (error) {
      // Somebody was faster.
      if (!(error instanceof DomainError && error.reason === "ALREADY_RESOLVED")) throw error;
    }
  }

  return {
    start: expireDue,
    expect(deadlineMs) {
      if (deadlineMs < nextMs) schedule(deadlineMs);
    },
    async expire(requestId) {
      const { state, deadlineMs = Infinity } = await getRequest(db, requestId);
      if (state === "open" && deadlineMs <= clock.now()) await expireOne(requestId);
    },
    close: async () => {
      isClosed = true;
      cancelTimer?.();
      await current;
    },
  };
}
