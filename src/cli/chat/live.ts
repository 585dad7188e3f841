import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { readDataDir } from "../../config.ts";
import { completeLine, takeLine } from "./commands.ts";
import { interrupt } from "./interrupt.ts";
import { findSession, showNew } from "./open.ts";
import { enterRoom, leaveRoom } from "./room.ts";
import type { Chat, ChatOptions } from "./state.ts";
import { statusLine, waitingLines } from "./status.ts";
import { openChatTerminal } from "./terminal.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { failureOf } from "../failure.ts";
import { createPage } from "../page.ts";
import { createStatusLabel } from "../terminal/spinner.ts";
import { openTypedHistory, type TypedHistory } from "../terminal/typed-history.ts";

const TICK_MS = 1000;

/** A chat with a human at a terminal. */
export async function chatLive(plain: Context, client: Client, options: ChatOptions): Promise<ExitCode> {
  const session = await findSession(client, options);
  const leaving = new AbortController();
  const sending: string[] = [];
  let doing: Promise<void> = Promise.resolve();
  let isEnding = false;
  const terminal = openChatTerminal(plain, {
    history: openHistory(plain),
    complete: (text) => completeLine(chat, text),
    above: () => waitingLines(chat, sending),
    status: () => statusLine(chat, label.label, Date.now()),
    // One after the other, so that what was typed first is said first.
    onLine(text) {
      sending.push(text);
      doing = doing.then(async () => doLine(chat, text)).finally(() => void sending.shift());
    },
    onInterrupt: () => interrupt(chat),
    // What was sent is said before its human is gone; who is in a hurry ends it twice.
    onEnd() {
      if (sending.length === 0 || isEnding) return chat.stop();
      isEnding = true;
      doing = doing.then(() => chat.stop());
    },
  });
  const { screen } = terminal;
  const label = createStatusLabel(screen.refresh);
  const page = createPage(screen.out, { spinner: label, onPreview: screen.preview });
  const { style, foreignLine } = plain.err;
  const context: Context = {
    ...plain,
    out: screen.out,
    note: (text) => page.line("note", style.dim(`parley: ${foreignLine(text)}`)),
  };
  const chat: Chat = {
    context,
    client,
    options,
    page,
    leaving,
    isInteractive: true,
    room: undefined,
    next: { profile: options.profile ?? "", model: options.model ?? "" },
    sessions: [],
    isEngineAway: false,
    hasInterrupted: false,
    failure: undefined,
    suggest: terminal.set,
    refresh: screen.refresh,
    stop: () => leaving.abort(),
  };
  const tick = setInterval(() => chat.room?.facts.runningTurnId !== undefined && screen.refresh(), TICK_MS);
  let isRunning = false;
  let sessionId: string | undefined;
  try {
    await (session === undefined ? showNew(chat) : enterRoom(chat, session));
    screen.refresh();
    await whenAborted(leaving.signal);
  } finally {
    clearInterval(tick);
    ({ sessionId } = chat.room ?? {});
    isRunning = chat.room?.facts.runningTurnId !== undefined;
    leaving.abort();
    await doing;
    await leaveRoom(chat);
    page.preview("", "");
    page.endLine();
    terminal.close();
  }
  if (chat.failure !== undefined) throw chat.failure;
  sayGoodbye(plain, sessionId, isRunning);
  return chat.hasInterrupted ? EXIT.interrupted : EXIT.ok;
}

/** A human sees what went wrong, and goes on. */
async function doLine(chat: Chat, text: string): Promise<void> {
  const { context, page, leaving } = chat;
  if (leaving.signal.aborted) return;
  try {
    await takeLine(chat, text);
  } catch (error) {
    if (leaving.signal.aborted) return;
    page.line("error", context.out.style.red(context.out.foreignLine(failureOf(error).text)));
  }
}

function openHistory(context: Context): TypedHistory {
  const dataDir = readDataDir(context.env, context.globals.dataDir);
  return openTypedHistory({
    // Who talks to an engine elsewhere may have no folder here, and gets none for this.
    path: existsSync(dataDir) ? join(dataDir, "chat-history") : undefined,
    onFailure: ({ message }) => context.note(`what is typed is not kept for another time (${message})`),
  });
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function sayGoodbye({ commandLine, note, err }: Context, sessionId: string | undefined, isRunning: boolean): void {
  if (sessionId === undefined || !err.isTerminal) return;
  const next = commandLine(`${isRunning ? "watch" : "chat --session"} ${sessionId}`);
  note(isRunning ? `the turn goes on; see it with \`${next}\`` : `go on with \`${next}\``);
}
