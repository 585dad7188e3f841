import type { Request } from "../../src/client/client.ts";
import { readUntil } from "./observe.ts";
import type { TestEngine } from "./test-engine.ts";

/** Waits until a session asks for leave, and returns the oldest request that is open. */
export async function openPermission(engine: TestEngine, sessionId: string): Promise<Request> {
  return (await openPermissions(engine, sessionId, 1))[0]!;
}

/** Waits until so many requests of a session are open, and returns them, the oldest first. */
export async function openPermissions(engine: TestEngine, sessionId: string, count: number): Promise<Request[]> {
  const open = new Map<string, Request>();
  let isCaughtUp = false;
  await readUntil(
    (signal) => engine.messages.watchSession({ sessionId }, { signal }),
    (_seen, { payload }) => {
      if (payload.case === "checkpoint") isCaughtUp ||= payload.value.caughtUp;
      const event = payload.case === "event" ? payload.value.payload : undefined;
      if (event?.case === "requestOpened") open.set(event.value.request!.id, event.value.request!);
      if (event?.case === "requestResolved") open.delete(event.value.request!.id);
      return isCaughtUp && open.size === count;
    },
  );
  return [...open.values()];
}
