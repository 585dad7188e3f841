import { quantile, median } from "../sample.ts";
import { modelOf, sha256, textOf, type Answer } from "../tokens.ts";
import { connectMany, connectToUpstream, createSession, turnRequest, type Calls, type Target } from "./calls.ts";
import type OpenAI from "openai";

/** What one stream brought. Times in milliseconds since the first call. */
interface Arrival {
  text: string;
  /** When each piece of text came. */
  readonly atMs: number[];
  endMs: number;
}

/** What many turns at once came to. */
export interface TurnsResult {
  readonly turns: number;
  readonly exact: number;
  /** From the first call to the end of the last stream. */
  readonly lastEndMs: number;
  readonly firstPieceMs: number;
  readonly gapMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly pieces: number;
}

export interface TurnsInput {
  readonly turns: number;
  readonly answer: Answer;
}

/** SendMessage of so many sessions at once. */
export async function turnsAtEngine(input: TurnsInput & { target: Target; connections: number }): Promise<TurnsResult> {
  const pick = await connections(input.target, input.connections);
  const sessions: string[] = [];
  for (let i = 0; i < input.turns; i++) sessions.push(await createSession(pick(i)));
  return measure(input, (i, arrival, sinceMs) =>
    sendMessage(pick(i), sessions[i] ?? "", input.answer, arrival, sinceMs),
  );
}

/** The same work by the provider's package alone. */
export async function turnsAtUpstream(input: TurnsInput & { upstreamUrl: string }): Promise<TurnsResult> {
  const client = upstreamClient(input.upstreamUrl);
  return measure(input, (_i, arrival, sinceMs) => complete(client, input.answer, arrival, sinceMs));
}

// Connections are kept from round to round, warm, on both sides.
const known = new Map<string, Promise<(index: number) => Calls>>();
const clients = new Map<string, OpenAI>();

function connections(target: Target, count: number): Promise<(index: number) => Calls> {
  const key = `${target.url} ${count}`;
  const found = known.get(key) ?? connectMany(target, count);
  known.set(key, found);
  return found;
}

function upstreamClient(url: string): OpenAI {
  const found = clients.get(url) ?? connectToUpstream(url);
  clients.set(url, found);
  return found;
}

async function measure(
  { turns, answer }: TurnsInput,
  run: (index: number, arrival: Arrival, sinceMs: () => number) => Promise<void>,
): Promise<TurnsResult> {
  const startMs = performance.now();
  const sinceMs = (): number => performance.now() - startMs;
  const arrivals = Array.from({ length: turns }, (): Arrival => ({ text: "", atMs: [], endMs: NaN }));
  await Promise.all(arrivals.map((arrival, i) => run(i, arrival, sinceMs)));
  const wanted = sha256(textOf(answer));
  const gaps = arrivals.flatMap(({ atMs }) => atMs.slice(1).map((at, i) => at - (atMs[i] ?? 0)));
  return {
    turns,
    exact: arrivals.filter(({ text }) => sha256(text) === wanted).length,
    lastEndMs: Math.max(...arrivals.map(({ endMs }) => endMs)),
    firstPieceMs: median(arrivals.map(({ atMs }) => atMs[0] ?? NaN)),
    gapMs: { p50: median(gaps), p99: quantile(gaps, 0.99), max: quantile(gaps, 1) },
    pieces: gaps.length + turns,
  };
}

async function sendMessage(
  { messages }: Calls,
  sessionId: string,
  answer: Answer,
  arrival: Arrival,
  sinceMs: () => number,
): Promise<void> {
  for await (const { payload } of messages.sendMessage(turnRequest(sessionId, answer))) {
    if (payload.case !== "event" || payload.value.payload.case !== "textDelta") continue;
    arrival.atMs.push(sinceMs());
    arrival.text += payload.value.payload.value.text;
  }
  arrival.endMs = sinceMs();
}

async function complete(client: OpenAI, answer: Answer, arrival: Arrival, sinceMs: () => number): Promise<void> {
  const stream = await client.chat.completions.create({
    model: modelOf(answer),
    messages: [{ role: "user", content: "say something" }],
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const { choices } of stream) {
    const text = choices[0]?.delta.content ?? "";
    if (text === "") continue;
    arrival.atMs.push(sinceMs());
    arrival.text += text;
  }
  arrival.endMs = sinceMs();
}
