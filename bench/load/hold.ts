import { connectMany, type Calls, type Target } from "./calls.ts";

/** Opens watchers that are told nothing, and leaves them open. Resolves when each has got its first message. */
export async function holdWatchers(input: {
  target: Target;
  sessionIds: readonly string[];
  connections: number;
}): Promise<void> {
  const pick = await connectMany(input.target, input.connections);
  await Promise.all(
    input.sessionIds.map(async (sessionId, i) => {
      const ready = Promise.withResolvers<void>();
      watch(pick(i), sessionId, ready.resolve).catch(ready.reject);
      await ready.promise;
    }),
  );
}

async function watch({ messages }: Calls, sessionId: string, onReady: () => void): Promise<void> {
  for await (const { payload } of messages.watchSession({ sessionId })) {
    if (payload.case === "checkpoint" && payload.value.caughtUp) onReady();
  }
  throw new Error(`the watch of ${sessionId} ended`);
}
