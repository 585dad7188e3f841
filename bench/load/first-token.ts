import { modelOf, type Answer } from "../tokens.ts";
import { connectTo, connectToUpstream, createSession, turnRequest, type Target } from "./calls.ts";

const ANSWER: Answer = { tokens: 3, perSecond: 0 };

/** Milliseconds from the call to the first token, at the engine and at the upstream, in turn. The first pairs only warm up. */
export async function firstTokens(input: {
  target: Target;
  upstreamUrl: string;
  pairs: number;
  warmUp: number;
}): Promise<{ engineMs: number[]; directMs: number[] }> {
  const calls = connectTo(input.target);
  const client = connectToUpstream(input.upstreamUrl);
  const engineMs: number[] = [];
  const directMs: number[] = [];

  async function atEngine(): Promise<number> {
    const sessionId = await createSession(calls);
    await pause();
    const startMs = performance.now();
    let firstMs = NaN;
    for await (const { payload } of calls.messages.sendMessage(turnRequest(sessionId, ANSWER))) {
      if (payload.case !== "event" || payload.value.payload.case !== "textDelta") continue;
      if (Number.isNaN(firstMs)) firstMs = performance.now() - startMs;
    }
    return firstMs;
  }

  async function atUpstream(): Promise<number> {
    await pause();
    const startMs = performance.now();
    let firstMs = NaN;
    const stream = await client.chat.completions.create({
      model: modelOf(ANSWER),
      messages: [{ role: "user", content: "say something" }],
      stream: true,
    });
    for await (const { choices } of stream) {
      if (Number.isNaN(firstMs) && (choices[0]?.delta.content ?? "") !== "") firstMs = performance.now() - startMs;
    }
    return firstMs;
  }

  for (let i = 0; i < input.warmUp + input.pairs; i++) {
    const direct = await atUpstream();
    const engine = await atEngine();
    if (i < input.warmUp) continue;
    directMs.push(direct);
    engineMs.push(engine);
  }
  calls.close();
  return { engineMs, directMs };
}

/** Lets both sides finish what the last answer left to do. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
