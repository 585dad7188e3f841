import { type Clock, delay } from "../clock.ts";
import { ModelError, type Model, type ModelEvent, type ModelPulse, type ModelRequest } from "./model.ts";

/** The first try included; with the waits below the last comes after 15 s at most, what a human still waits through. */
export const MAX_ATTEMPTS = 5;
/**
 * The longest that may be waited after the first failure; doubled after each. "Full jitter" (M. Brooker, "Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015) spreads the tries of many sessions best with the fewest calls.
 */
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_CAP_MS = 30_000;
/** A provider that asks for more is not waited for: rate limits are per minute, longer ones per day. */
const MAX_RETRY_AFTER_MS = 60_000;
/** Added to what the provider asks for, so that everybody it told the same does not come back at once. */
const RETRY_AFTER_JITTER = 0.1;

export interface CallLimits {
  readonly maxAttempts?: number;
  /** Silence between two pieces of the answer. */
  readonly maxSilenceMs: number;
  /** Silence before the first piece. */
  readonly maxSilenceBeforeFirstMs: number;
}

/** How long to wait after the failed try of this number, the first being 1. `random` gives 0 to 1. */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.round(random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1)));
}

/**
 * Makes a model call, again where it fails in a way that passes, but never once a piece of the answer was passed on.
 * Throws ModelError, `PROVIDER_STALLED` after too long a silence, and `signal.reason` as soon as the signal is aborted,
 * whatever the adapter does. Leaves no timer and no listener. The time that the reader takes is no silence.
 */
export async function* callModel(
  model: Model,
  request: ModelRequest,
  limits: CallLimits,
  signal: AbortSignal,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
): AsyncGenerator<ModelEvent, void, undefined> {
  const maxAttempts = limits.maxAttempts ?? MAX_ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    const call = openCall(model, request, limits, signal, clock);
    let error: ModelError;
    let delayMs: number;
    try {
      let hasStopped = false;
      for (let event = await call.next(); event !== undefined; event = await call.next()) {
        if (event.kind === "pulse") continue;
        hasStopped ||= event.kind === "stop";
        yield event;
      }
      if (hasStopped) return;
      throw brokeOff();
    } catch (thrown) {
      if (!(thrown instanceof ModelError) || attempt >= maxAttempts || call.hasPieces()) throw thrown;
      const wait = waitBeforeRetry(thrown, attempt, random);
      if (wait === undefined) throw thrown;
      error = thrown;
      delayMs = wait;
    } finally {
      call.close();
    }
    yield { kind: "retry", attempt, maxAttempts, delayMs, error };
    await delay(clock, delayMs, signal);
  }
}

/** Undefined where waiting does not help, or would take too long. */
export function waitBeforeRetry(error: ModelError, attempt: number, random: () => number): number | undefined {
  if (!error.retryable) return undefined;
  const { retryAfterMs } = error;
  if (retryAfterMs === undefined) return backoffMs(attempt, random);
  if (retryAfterMs > MAX_RETRY_AFTER_MS) return undefined;
  return Math.round(retryAfterMs * (1 + RETRY_AFTER_JITTER * random()));
}

/** A reason of one's own: without one, each abort makes an error with a stack. */
const CLOSED = new Error("the call is over");

/** One try, watched. */
interface WatchedCall {
  /** Undefined at the end. */
  next(): Promise<ModelEvent | ModelPulse | undefined>;
  /** Whether a piece of the answer has come. */
  hasPieces(): boolean;
  close(): void;
}

function openCall(
  model: Model,
  request: ModelRequest,
  { maxSilenceMs, maxSilenceBeforeFirstMs }: CallLimits,
  signal: AbortSignal,
  clock: Clock,
): WatchedCall {
  signal.throwIfAborted();
  const controller = new AbortController();
  const iterator = model.stream(request, controller.signal)[Symbol.asyncIterator]();
  let interrupt: ((reason: unknown) => void) | undefined;
  let waitingSince = 0;
  let hasPieces = false;

  const stop = (reason: unknown): void => {
    interrupt?.(reason);
    controller.abort(reason);
  };
  const onAbort = (): void => stop(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });

  // One timer that looks how long it was silent, not one for each of a hundred thousand pieces.
  const look = (): void => {
    const maxMs = hasPieces ? maxSilenceMs : maxSilenceBeforeFirstMs;
    const silentMs = interrupt === undefined ? 0 : clock.monotonic() - waitingSince;
    if (silentMs >= maxMs) stop(stalled(maxMs));
    else cancelTimer = clock.after(maxMs - silentMs, look);
  };
  let cancelTimer = clock.after(maxSilenceBeforeFirstMs, look);

  return {
    hasPieces: () => hasPieces,
    async next() {
      signal.throwIfAborted();
      waitingSince = clock.monotonic();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<ModelEvent | ModelPulse>>();
      interrupt = reject;
      iterator.next().then(resolve, reject);
      const result = await promise.finally(() => {
        interrupt = undefined;
        // The adapter's own answer to an abort may be faster than ours.
        signal.throwIfAborted();
      });
      if (result.done === true) return undefined;
      if (!hasPieces && isPiece(result.value)) {
        hasPieces = true;
        cancelTimer();
        cancelTimer = clock.after(maxSilenceMs, look);
      }
      return result.value;
    },
    close() {
      interrupt = undefined;
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
      controller.abort(CLOSED);
      // Not waited for: an adapter that hangs would hang the turn.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}

function isPiece({ kind }: ModelEvent | ModelPulse): boolean {
  return kind === "text" || kind === "reasoning" || kind === "tool_call";
}

function stalled(maxMs: number): ModelError {
  const message = `the provider said nothing for ${Math.round(maxMs / 1000)} s`;
  return new ModelError("PROVIDER_STALLED", message, { retryable: true });
}

function brokeOff(): ModelError {
  return new ModelError("PROVIDER_BROKE_OFF", "the answer broke off before its end", { retryable: true });
}
