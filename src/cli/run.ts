import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { toJsonString } from "@bufbuild/protobuf";
import {
  type Client,
  type Event,
  EventSchema,
  followSession,
  type Turn,
  type TurnEnded,
  TurnEndReason,
} from "../client/client.ts";
import { createAnswer } from "./answer.ts";
import { attachFile, type AttachedFile } from "./attach-file.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { UsageError } from "./failure.ts";
import { tellState } from "./follow-state.ts";
import { onInterrupt } from "./interrupt.ts";
import { turnEndText } from "./session-lines.ts";
import { checkSaidBytes, MAX_SAID_BYTES } from "./said-text.ts";
import { resolveSession } from "./session-ref.ts";
import type { ModeWord } from "./permissions/names.ts";
import { modeOf } from "./permissions/words.ts";
import { tellAsked } from "./requests/tell-asked.ts";
import { tryAgain } from "./try-again.ts";

export interface RunOptions {
  readonly session?: string;
  readonly profile?: string;
  /** The definition that a new session is made by. */
  readonly agent?: string;
  readonly model?: string;
  readonly system?: string;
  /** The folder that a new session may touch. */
  readonly workspace?: string;
  /** What a new session lets run unasked. */
  readonly approve?: keyof typeof APPROVALS;
  /** The same, in the words of the modes. */
  readonly mode?: ModeWord;
  /** Paths of pictures, and of other files. */
  readonly image?: readonly string[];
  readonly file?: readonly string[];
}

/** Nobody is asked, and what would have to be is not done; edits in the folder run; everything does. */
const APPROVALS = { none: "restricted", edits: "auto_approve_edits", all: "trust_all" } as const;

/** One turn, for scripts: stdout is the answer's text and nothing else. */
export async function run(context: Context, given: string | undefined, options: RunOptions): Promise<ExitCode> {
  const client = await context.client();
  const text = await readText(context, given);
  const controller = new AbortController();
  let hasInterrupted = false;
  let turn: Turn | undefined;
  const off = onInterrupt(() => {
    if (hasInterrupted || turn === undefined) return controller.abort();
    hasInterrupted = true;
    // Its end comes as an event. Where even that fails, a second Ctrl-C leaves.
    client.messages.cancelTurn({ sessionId: turn.sessionId, turnId: turn.id }).catch(() => controller.abort());
  });
  try {
    turn = await startTurn(client, text, options, controller.signal);
    const end = await showTurn(context, client, turn, controller.signal);
    if (end === undefined || hasInterrupted) return EXIT.interrupted;
    return exitCodeOf(end, context, turn);
  } catch (error) {
    if (controller.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
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

async function attachAll(client: Client, { image = [], file = [] }: RunOptions, signal: AbortSignal) {
  const parts: AttachedFile["part"][] = [];
  for (const path of image) parts.push((await attachFile(client, path, "image", signal)).part);
  for (const path of file) parts.push((await attachFile(client, path, "file", signal)).part);
  return parts;
}

async function startTurn(client: Client, text: string, options: RunOptions, signal: AbortSignal): Promise<Turn> {
  const { session: given } = options;
  // First: a file that is not there must leave no session behind.
  const attached = await attachAll(client, options, signal);
  const sessionId = await (given === undefined
    ? createSession(client, options, signal)
    : resolveSession(client, given));
  const request = {
    sessionId,
    idempotencyKey: randomUUID(),
    parts: [{ content: { case: "text" as const, value: text } }, ...attached],
    // A new session has it already.
    model: options.session === undefined ? "" : (options.model ?? ""),
  };
  const { turn } = await tryAgain(() => client.messages.startTurn(request, { signal }), signal);
  if (turn === undefined) throw new Error("the engine started no turn");
  return turn;
}

async function createSession(client: Client, options: RunOptions, signal: AbortSignal): Promise<string> {
  const { profile = "", agent = "", model = "", system = "", workspace, approve } = options;
  const mode = options.mode ?? (approve && APPROVALS[approve]);
  const request = {
    profile,
    agent,
    model,
    systemPrompt: system,
    workspace: workspace === undefined ? "" : resolve(workspace),
    ...(mode !== undefined && { approvalMode: modeOf(mode) }),
  };
  // The first call of this process: an engine that is not there is said at once, not waited for.
  const { session } = await client.sessions.createSession(request, { signal });
  return session?.id ?? "";
}

/** Undefined where it was left before its end. */
async function showTurn(
  context: Context,
  client: Client,
  turn: Turn,
  signal: AbortSignal,
): Promise<TurnEnded | undefined> {
  const answer = createAnswer(context);
  const onState = tellState(context, () => answer.pause());
  const where = { sessionId: turn.sessionId, afterSeq: turn.firstSeq - 1n, signal, onState };
  try {
    for await (const item of followSession(client, where)) {
      if (item.kind !== "event") continue;
      // Also what agents ask that the turn has started.
      if (isAsking(item.event)) {
        answer.pause();
        tellAsked(context, item.event);
      }
      if (item.event.turnId !== turn.id) continue;
      if (context.json) writeEvent(context, item.event);
      else answer.show(item.event);
      if (item.event.payload.case === "turnEnded") return item.event.payload.value;
    }
    return undefined;
  } finally {
    answer.end();
  }
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
