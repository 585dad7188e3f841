import { connectTo, type Target } from "./calls.ts";

/** Milliseconds of a GetSnapshot of each session, in turn. The first rounds only warm up. */
export async function snapshots(input: {
  target: Target;
  sessionIds: readonly string[];
  rounds: number;
  warmUp: number;
}): Promise<{ ms: number[][]; messages: number[] }> {
  const { sessions, close } = connectTo(input.target);
  const ms: number[][] = input.sessionIds.map(() => []);
  const messages: number[] = input.sessionIds.map(() => 0);
  for (let round = 0; round < input.warmUp + input.rounds; round++) {
    for (const [i, sessionId] of input.sessionIds.entries()) {
      const startMs = performance.now();
      const answer = await sessions.getSnapshot({ sessionId });
      if (round >= input.warmUp) ms[i]?.push(performance.now() - startMs);
      messages[i] = answer.messages.length;
    }
  }
  close();
  return { ms, messages };
}
