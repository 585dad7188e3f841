import { setTimeout } from "node:timers/promises";
import { type Client, EngineTopic, isTransient, type Request } from "../../src/client/client.ts";

const AWAY_MS = 100;

/** Somebody who answers, at a client of their own. */
export interface Human {
  /** What waits for an answer, or will. */
  nextRequest(): Promise<Request>;
  /** Makes a call, again and again while the engine is away: one that counts once, by its key. */
  call(make: (client: Client) => Promise<unknown>): Promise<void>;
}

export function createHuman(client: Client, signal: AbortSignal): Human {
  return {
    nextRequest: () => nextRequest(client, signal),
    async call(make) {
      await patiently(() => make(client), signal);
    },
  };
}

/** The one stream that tells of all sessions, over restarts of the engine. */
async function nextRequest(client: Client, signal: AbortSignal): Promise<Request> {
  return patiently(async () => {
    // Leaving the loop alone would leave the stream open.
    const leaving = new AbortController();
    const both = AbortSignal.any([signal, leaving.signal]);
    try {
      const stream = client.engine.watchEngine({ topics: [EngineTopic.REQUESTS] }, { signal: both });
      for await (const { payload } of stream) if (payload.case === "request") return payload.value;
      throw new Error("the stream ended");
    } finally {
      leaving.abort();
    }
  }, signal);
}

async function patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (signal.aborted || !isTransient(error)) throw error;
      await setTimeout(AWAY_MS, undefined, { signal });
    }
  }
}
