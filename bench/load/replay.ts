import { connectTo, type Target } from "./calls.ts";

/** Reads a session's log from its beginning until it is caught up. */
export async function replay(input: {
  target: Target;
  sessionId: string;
}): Promise<{ events: number; inOrder: boolean; ms: number }> {
  const calls = connectTo(input.target);
  await calls.sessions.createSession({ title: "warm" });
  const abort = new AbortController();
  const startMs = performance.now();
  let events = 0;
  let lastSeq = 0n;
  let inOrder = true;
  for await (const { payload } of calls.messages.watchSession(
    { sessionId: input.sessionId },
    { signal: abort.signal },
  )) {
    if (payload.case === "event") {
      inOrder &&= payload.value.seq > lastSeq;
      lastSeq = payload.value.seq;
      events++;
    } else if (payload.value?.caughtUp === true) {
      break;
    }
  }
  const ms = performance.now() - startMs;
  abort.abort();
  calls.close();
  return { events, inOrder, ms };
}
