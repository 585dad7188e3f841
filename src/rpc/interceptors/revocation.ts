import type { Interceptor } from "@connectrpc/connect";
import { principalKey } from "./principal.ts";

/**
 * Ends every stream whose token is revoked or expires, at once, with what its signal says: the method's own signal is
 * aborted, so that it lets go of what it holds, and what it still says or waits for is not waited for. A call whose token
 * ended while its request was being read is refused.
 */
export function createRevocationInterceptor(): Interceptor {
  return (next) => async (request) => {
    const ended = request.contextValues.get(principalKey)?.ended;
    if (ended === undefined) return next(request);
    ended.throwIfAborted();
    if (!request.stream) return next(request);
    const until = createEnd(ended, request.signal);
    try {
      const message = until.bound(request.message, false);
      const response = await next({ ...request, signal: until.signal, message });
      return response.stream ? { ...response, message: until.bound(response.message, true) } : response;
    } catch (error) {
      until.close();
      throw error;
    }
  };
}

/** What a call ends with: its caller, its time, the engine's stop, or its token. */
interface End {
  readonly signal: AbortSignal;
  /** The messages until the token ends; then throws why. With `isLast` the call is over with them. */
  bound<T>(messages: AsyncIterable<T>, isLast: boolean): AsyncIterable<T>;
  close(): void;
}

/** A reason of one's own: without one, each abort makes an error with a stack. */
const CALL_OVER = new Error("the call is over");

function createEnd(ended: AbortSignal, call: AbortSignal): End {
  const controller = new AbortController();
  const cuts = new Set<(reason: unknown) => void>();
  const onCall = (): void => controller.abort(call.reason);
  const onEnded = (): void => {
    controller.abort(ended.reason);
    for (const cut of cuts) cut(ended.reason);
  };
  ended.addEventListener("abort", onEnded, { once: true });
  if (call.aborted) onCall();
  else call.addEventListener("abort", onCall, { once: true });

  function close(): void {
    ended.removeEventListener("abort", onEnded);
    call.removeEventListener("abort", onCall);
    controller.abort(CALL_OVER);
  }

  function bound<T>(messages: AsyncIterable<T>, isLast: boolean): AsyncIterable<T> {
    return {
      [Symbol.asyncIterator]() {
        const source = messages[Symbol.asyncIterator]();
        let interrupt: ((reason: unknown) => void) | undefined;
        const leave = async (): Promise<void> => void (await source.return?.());
        const finish = (): void => {
          cuts.delete(cut);
          if (isLast) close();
        };
        const cut = (reason: unknown): void => {
          interrupt?.(reason);
          // A method that waits for its reader would hold what it has until that comes back. Its failure is nobody's concern.
          leave().catch(() => undefined);
        };
        cuts.add(cut);
        return {
          async next() {
            try {
              ended.throwIfAborted();
              const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
              interrupt = reject;
              source.next().then(resolve, reject);
              const result = await promise;
              if (result.done === true) finish();
              return result;
            } catch (error) {
              finish();
              throw error;
            } finally {
              interrupt = undefined;
            }
          },
          async return(value?: unknown) {
            finish();
            await leave();
            return { done: true, value: value as T };
          },
        };
      },
    };
  }

  return { signal: controller.signal, bound, close };
}
