import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { readDataDir } from "../../config.ts";
import { delay, systemClock } from "../../clock.ts";
import { list, parseCommand } from "./command.ts";
import { completeLine, mayOvertake, takeLine } from "./commands.ts";
import { interrupt } from "./interrupt.ts";
import { findSession, nextSession, showNew } from "./open.ts";
import { enterRoom, leaveRoom } from "./room.ts";
import type { Chat, ChatOptions } from "./state.ts";
import { statusLine, waitingLines } from "./status.ts";
import { openChatTerminal } from "./terminal.ts";
import { createTypedLines } from "./typed-lines.ts";
import { openDesk } from "../answering/open-desk.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { failureOf } from "../failure.ts";
import { createPage } from "../view/page.ts";
import { createStatusLabel } from "../terminal/spinner.ts";
import { openTypedHistory, type TypedHistory } from "../terminal/typed-history.ts";

const TICK_MS = 1000;
/** How long a command lets what was typed before it be sent first. */
const PATIENCE_MS = 1000;

/** A chat with a human at a terminal. */
export async function chatLive(plain: Context, client: Client, options: ChatOptions): Promise<ExitCode> {
  const session = await findSession(client, options);
  const leaving = new AbortController();
  const unsent: string[] = [];
  let isEnding = false;
  const typed = createTypedLines({
    mayOvertake,
    patience: () => delay(systemClock, PATIENCE_MS, leaving.signal).catch(() => undefined),
    run: async (text) => doLine(chat, text, unsent),
    onDone: () => screen.refresh(),
  });
  const terminal = openChatTerminal(plain, {
    history: openHistory(plain),
    complete: (text) => completeLine(chat, text),
    above: () => waitingLines(chat, typed.pending),
    status: () => statusLine(chat, label.label, Date.now()),
    asked: (columns, rows, text) => desk.draw({ columns, rows }, text),
    onKey: (key, text) => desk.key(key, text),
    onLine(text) {
      desk.sent();
      typed.add(text);
    },
    onInterrupt: () => interrupt(chat),
    // What was sent is said before its human is gone; who is in a hurry ends it twice.
    onEnd() {
      if (typed.pending.length === 0 || isEnding) return chat.stop();
      isEnding = true;
      void typed.whenDone().then(() => chat.stop());
    },
  });
  const { screen } = terminal;
  const label = createStatusLabel(screen.refresh);
  const page = createPage(screen.out, { spinner: label, onPreview: screen.preview });
  const { style, foreignLine } = plain.err;
  const desk = openDesk({
    client,
    env: plain.env,
    screen,
    signal: leaving.signal,
    sessionId: () => chat.room?.sessionId,
    show: (lines) => list(chat, lines),
    note: (text) => context.note(text),
    lend: terminal.lend,
  });
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
    desk,
    room: undefined,
    next: nextSession(options),
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
    desk.close();
    ({ sessionId } = chat.room ?? {});
    isRunning = chat.room?.facts.runningTurnId !== undefined;
    leaving.abort();
    await typed.whenDone();
    await leaveRoom(chat);
    page.preview("", "");
    page.endLine();
    terminal.close();
  }
  for (const text of unsent) plain.note(foreignLine(`left before the engine took this: ${text}`));
  if (chat.failure !== undefined) throw chat.failure;
  sayGoodbye(plain, sessionId, isRunning);
  return chat.hasInterrupted ? EXIT.interrupted : EXIT.ok;
}

/** A human sees what went wrong and what was not said, and goes on. What is left behind goes to `unsent`. */
async function doLine(chat: Chat, text: string, unsent: string[]): Promise<void> {
  const { context, page, leaving } = chat;
  const { style, foreignLine } = context.out;
  const isText = parseCommand(text) === undefined;
  try {
    leaving.signal.throwIfAborted();
    await takeLine(chat, text);
  } catch (error) {
    if (leaving.signal.aborted) {
      if (isText) unsent.push(text);
      return;
    }
    page.line("error", style.red(foreignLine(failureOf(error).text)));
    if (isText) page.line("error", style.dim(`not sent: ${foreignLine(text)}`));
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
