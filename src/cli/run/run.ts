import { toJsonString } from "@bufbuild/protobuf";
import {
  type Client,
  type Event,
  EventSchema,
  followSession,
  type Turn,
  type TurnEnded,
  TurnEndReason,
} from "../../client/client.ts";
import { createAnswer } from "../answer.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { tellState } from "../view/follow-state.ts";
import { turnEndText } from "../view/session-lines.ts";
import { checkSaidBytes, MAX_SAID_BYTES } from "../view/said-text.ts";
import { tellAsked } from "../requests/tell-asked.ts";
import type { Asking, AskingOptions } from "./asking.ts";
import { type RunOptions, startTurn } from "./start-turn.ts";
import { createStopping, type Stopping } from "./stopping.ts";

/** One turn, for scripts: stdout is the answer's text and nothing else. */
export async function run(context: Context, given: string | undefined, options: RunOptions): Promise<ExitCode> {
  const client = await context.client();
  const text = await readText(context, given);
  const stopping = createStopping(context, client);
  try {
    const turn = await startTurn(client, text, options, stopping.signal);
    stopping.begun(turn);
    const end = await showTurn(context, client, turn, stopping);
    if (end === undefined) return EXIT.interrupted;
    if (stopping.isWanted && end.reason === TurnEndReason.CANCELLED) {
      context.note("the turn was stopped");
      return EXIT.interrupted;
    }
    return exitCodeOf(end, context, turn);
  } catch (error) {
    if (stopping.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    stopping.ignore();
  }
}

async function readText({ stdin, err }: Context, given: string | undefined): Promise<string> {
  if (given !== undefined && given !== "-") return sayable(given, Buffer.byteLength(given));
  if (stdin.isTTY && err.isTerminal) err.write(`${err.style.dim("type the text; Ctrl-D ends it")}\n`);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stdin as AsyncIterable<Buffer>) {
    bytes += piece.length;
    // What is too much is counted to its end, and not kept.
    if (bytes <= MAX_SAID_BYTES) pieces.push(piece);
  }
  return sayable(Buffer.concat(pieces).toString("utf8"), bytes);
}

function sayable(text: string, bytes: number): string {
  checkSaidBytes(bytes, "give it as a file: parley run --file FILE 'what to do with it'");
  if (text.trim() === "") throw new UsageError('there is nothing to say; give a text: parley run "what time is it?"');
  return text;
}

/** Undefined where it was left before its end. */
async function showTurn(
  context: Context,
  client: Client,
  turn: Turn,
  stopping: Stopping,
): Promise<TurnEnded | undefined> {
  const answer = createAnswer(context);
  const { sessionId } = turn;
  const asking = await openAsking(context, { client, sessionId, answer, stopping });
  const onState = tellState(asking === undefined ? context : { ...context, note: asking.note }, () => answer.pause());
  const where = { sessionId, afterSeq: turn.firstSeq - 1n, signal: stopping.signal, onState };
  const show = (event: Event): void => (context.json ? writeEvent(context, event) : answer.show(event));
  try {
    for await (const item of followSession(client, where)) {
      if (item.kind !== "event") continue;
      const { event } = item;
      // Also what agents ask that the turn has started.
      if (asking !== undefined) asking.see(event);
      else if (isAsking(event)) {
        answer.pause();
        tellAsked(context, event);
      }
      if (event.turnId !== turn.id) continue;
      if (asking === undefined) show(event);
      else asking.whenFree(() => show(event));
      if (event.payload.case === "turnEnded") return event.payload.value;
    }
    return undefined;
  } finally {
    asking?.close();
    answer.end();
  }
}

/** Undefined where nobody sits there who could answer. */
async function openAsking(context: Context, options: AskingOptions): Promise<Asking | undefined> {
  const { stdin, err, env } = context;
  // A dumb terminal cannot draw a row again; and stdin that was read for the text to its end gives no keys.
  if (!stdin.isTTY || stdin.readableEnded || !err.isTerminal || env["TERM"] === "dumb") return undefined;
  return (await import("./asking.ts")).createAsking(context, options);
}

function isAsking({ payload }: Event): boolean {
  return payload.case === "requestOpened" || payload.case === "requestResolved";
}

function writeEvent({ out }: Context, event: Event): void {
  out.write(`${toJsonString(EventSchema, event)}\n`);
}

function exitCodeOf(end: TurnEnded, { err, commandLine }: Context, { sessionId }: Turn): ExitCode {
  const text = turnEndText(err, end);
  const next = commandLine(`chat --session ${sessionId}`);
  if (text !== undefined) err.write(`${err.style.red("parley:")} the turn ${text}; go on with \`${next}\`\n`);
  switch (end.reason) {
    case TurnEndReason.COMPLETED:
      return EXIT.ok;
    case TurnEndReason.CANCELLED:
      return EXIT.cancelled;
    case TurnEndReason.LIMIT_REACHED:
      return EXIT.limitReached;
    case TurnEndReason.UNSPECIFIED:
    case TurnEndReason.FAILED:
    case TurnEndReason.INTERRUPTED:
      return EXIT.failed;
  }
  return EXIT.failed;
}
