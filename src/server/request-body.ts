import type { Clock } from "../clock.ts";
import type { Limits } from "./limits.ts";
import type { ServerRequest } from "./listener.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface BodyDeps {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "requestMs" | "bodyStallMs">;
  /** What a body that does not come in time ends with. */
  readonly tooLate: () => Error;
}

/** The bytes of a request's body. Whoever stops reading them does not destroy the request: over HTTP/1.1 that would be the whole connection. */
export function readBody(request: ServerRequest): AsyncIterator<Bytes> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterator<Bytes>;
}

/** The body, with an end put to a pause that is too long, and to a trickle that never ends. */
export function boundWait(
  body: AsyncIterator<Bytes>,
  request: ServerRequest,
  { clock, limits, tooLate }: BodyDeps,
): AsyncIterable<Bytes> {
  const deadlineMs = clock.monotonic() + limits.requestMs;
  const next = (): Promise<IteratorResult<Bytes>> => {
    if (request.complete) return body.next();
    return new Promise((resolve, reject) => {
      const waitMs = Math.max(0, Math.min(limits.bodyStallMs, deadlineMs - clock.monotonic()));
      const cancel = clock.after(waitMs, () => reject(tooLate()));
      body.next().then(resolve, reject).finally(cancel);
    });
  };
  // Leaving early must let go of the request, or the rest of its body could not be thrown away.
  const leave = (): Promise<IteratorResult<Bytes>> =>
    body.return?.() ?? Promise.resolve({ done: true, value: undefined });
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
}
