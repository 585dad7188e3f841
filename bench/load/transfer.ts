import { connectTo, type Target } from "./calls.ts";

/** Milliseconds of each fork of a session before one of its messages; the forks are removed again. */
export async function forks(input: {
  target: Target;
  sessionId: string;
  beforeMessageId: string;
  rounds: number;
}): Promise<{ readonly ms: readonly number[]; readonly messages: number }> {
  const { sessions, close } = connectTo(input.target);
  const { sessionId, beforeMessageId } = input;
  const ms: number[] = [];
  let messages = 0;
  for (let round = 0; round < input.rounds; round++) {
    const startMs = performance.now();
    const { session } = await sessions.forkSession({ sessionId, beforeMessageId });
    ms.push(performance.now() - startMs);
    messages = Number(session?.lastSeq);
    await sessions.deleteSession({ sessionId: session?.id ?? "" });
  }
  close();
  return { ms, messages };
}

/** Takes an export of all sessions. */
export async function exportAll(input: {
  target: Target;
}): Promise<{ readonly ms: number; readonly bytes: number; readonly isWhole: boolean }> {
  const { sessions, close } = connectTo(input.target);
  const startMs = performance.now();
  let bytes = 0;
  let last: Uint8Array = Buffer.alloc(0);
  for await (const { data } of sessions.exportSessions({})) {
    bytes += data.length;
    last = data;
  }
  const ms = performance.now() - startMs;
  close();
  return { ms, bytes, isWhole: Buffer.from(last).toString().endsWith("}}\n") };
}
