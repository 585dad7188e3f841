import { randomUUID } from "node:crypto";
import { toJsonString } from "@bufbuild/protobuf";
import { type Client, EventSchema, type FollowItem, followSession, type TranscriptMessage } from "../client/client.ts";
import { type ChatLine, createChatInput } from "./chat-input.ts";
import { startWhenIdle } from "./chat-say.ts";
import type { Chat } from "./chat-state.ts";
import { type ChatOptions, findSession, RETRY_HINT, showNew, showOld } from "./chat-open.ts";
import { createChatTurns } from "./chat-turns.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { failureOf } from "./failure.ts";
import { tellState } from "./follow-state.ts";
import { createSessionView } from "./session-view.ts";
import { titleOf } from "./title.ts";
import { tryAgain } from "./try-again.ts";

const HELP = `/retry  try the last turn again, from where it stopped
/quit   leave; so do Ctrl-D and a second Ctrl-C
/help   this list
A line that ends with \\ goes on in the next one.`;

export async function chat(context: Context, options: ChatOptions): Promise<ExitCode> {
  const client = await context.client();
  const session = await findSession(client, options);
  const state = createChat(context, client, options);
  const { input, view, leaving } = state;
  try {
    if (session === undefined) await showNew(context, client, options);
    else {
      state.turns = createChatTurns(session.runningTurnId);
      follow(state, session.id, await showOld(context, client, view, session));
    }
    await converse(state);
  } finally {
    leaving.abort();
    input.hidePrompt();
    input.close();
    await state.following;
    if (!context.json) view.page.endLine();
  }
  if (state.failure !== undefined) throw state.failure;
  sayGoodbye(state);
  return state.hasInterrupted ? EXIT.interrupted : EXIT.ok;
}

function createChat(context: Context, client: Client, options: ChatOptions): Chat {
  const typed: string[] = [];
  const isTyped = ({ text }: TranscriptMessage): boolean => {
    const index = typed.indexOf(text);
    if (index >= 0) typed.splice(index, 1);
    return index >= 0;
  };
  const view = createSessionView(context.out, { isTyped, retryHint: RETRY_HINT });
  const input = createChatInput(context, {
    onInterrupt: () => interrupt(state),
    onPrompt: () => view.page.yieldLine(),
    onPromptGone: () => view.page.takeLineBack(),
    // A pipe that ends has said all its lines, and they are still to be answered; a human who leaves does not wait.
    onEnd: () => state.leaving.abort(),
  });
  const state: Chat = {
    context,
    client,
    options,
    view,
    input,
    leaving: new AbortController(),
    typed,
    turns: createChatTurns(""),
    sessionId: undefined,
    following: undefined,
    failure: undefined,
    hasInterrupted: false,
  };
  return state;
}

/** One line after the other, each when the turn before it is over. */
async function converse(state: Chat): Promise<void> {
  const { context, input, view, leaving } = state;
  for (;;) {
    const line = await input.read();
    if (line === undefined || leaving.signal.aborted) return;
    const text = line.text.trim();
    if (text === "/quit") return;
    if (text === "") continue;
    try {
      if (text === "/help") view.page.line("help", context.out.style.dim(HELP));
      else await takeTurn(state, line);
    } catch (error) {
      if (leaving.signal.aborted) return;
      // A human sees it and goes on; a script has to be told by the exit code.
      if (!input.isInteractive) throw error;
      view.page.line("error", context.out.style.red(context.out.foreignLine(failureOf(error).text)));
    }
  }
}

async function takeTurn(state: Chat, line: ChatLine): Promise<void> {
  const { leaving, typed } = state;
  const { signal } = leaving;
  const sessionId = state.sessionId ?? (await createSession(state, line.text));
  if (line.isShown) typed.push(line.text);
  try {
    const turn = await startWhenIdle(state, sessionId, line.text);
    await state.turns.whenEnded(turn.id, signal);
  } finally {
    typed.splice(0);
  }
}

async function createSession(state: Chat, text: string): Promise<string> {
  const { client, options, leaving } = state;
  const { profile = "", model = "" } = options;
  const request = { idempotencyKey: randomUUID(), title: titleOf(text), profile, model };
  const { session } = await tryAgain(
    () => client.sessions.createSession(request, { signal: leaving.signal }),
    leaving.signal,
  );
  if (session === undefined) throw new Error("the engine made no session");
  follow(state, session.id, 0n);
  return session.id;
}

/** Shows what happens in the session, whoever does it, until the chat is left. */
function follow(state: Chat, sessionId: string, afterSeq: bigint): void {
  const { context, client, view, input, leaving } = state;
  const clear = (): void => {
    input.hidePrompt();
    if (!context.json) view.page.endLine();
  };
  const onState = tellState(context, clear);
  state.sessionId = sessionId;
  const work = async (): Promise<void> => {
    try {
      for await (const item of followSession(client, { sessionId, afterSeq, signal: leaving.signal, onState }))
        show(state, item);
    } catch (error) {
      state.failure = error as Error;
      leaving.abort();
      input.close();
    }
  };
  state.following = work();
}

function show(state: Chat, item: FollowItem): void {
  const { context, view, input, turns } = state;
  if (item.kind === "caught_up") return;
  input.hidePrompt();
  if (item.kind === "reset") {
    view.reset();
    turns.forget();
    context.note(`the log is another one now (${item.reason}); all of it follows`);
    return;
  }
  if (context.json) context.out.write(`${toJsonString(EventSchema, item.event)}\n`);
  else view.show(item.event);
  turns.see(item.event);
  if (turns.running === undefined) input.showPrompt();
}

/** Ctrl-C: stops the turn; where none runs, or it is being stopped, leaves. */
function interrupt(state: Chat): void {
  const { client, context, view, input, turns, sessionId, leaving } = state;
  const turnId = turns.running;
  if (turnId !== undefined && sessionId !== undefined && !state.hasInterrupted) {
    state.hasInterrupted = true;
    if (input.isInteractive) input.dropLines();
    if (!context.json) view.page.wait("stopping; Ctrl-C again to leave");
    client.messages.cancelTurn({ sessionId, turnId }).then(
      () => (state.hasInterrupted = false),
      (error: unknown) => context.note(failureOf(error).text),
    );
    return;
  }
  if (!state.hasInterrupted && input.clearLine()) return;
  state.hasInterrupted = true;
  leaving.abort();
  input.close();
}

function sayGoodbye({ context, sessionId, turns }: Chat): void {
  if (sessionId === undefined || !context.err.isTerminal) return;
  const isRunning = turns.running !== undefined;
  const next = context.commandLine(`${isRunning ? "watch" : "chat --session"} ${sessionId}`);
  context.note(isRunning ? `the turn goes on; see it with \`${next}\`` : `go on with \`${next}\``);
}
