import type { Client } from "../../client/client.ts";
import { takeLine } from "./commands.ts";
import { interrupt } from "./interrupt.ts";
import { createChatLines } from "./lines.ts";
import { findSession, nextSession, showNew } from "./open.ts";
import { enterRoom, leaveRoom } from "./room.ts";
import type { Chat, ChatOptions } from "./state.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { onInterrupt } from "../interrupt.ts";
import { createPage } from "../view/page.ts";

/** One line after the other, each when the turn before it is over. */
export async function chatInPipe(context: Context, client: Client, options: ChatOptions): Promise<ExitCode> {
  const session = await findSession(client, options);
  const lines = createChatLines(context);
  const state: Chat = {
    context,
    client,
    options,
    // Where stdout is JSON, what commands answer stands beside it.
    page: createPage(context.json ? context.err : context.out),
    leaving: new AbortController(),
    isInteractive: false,
    desk: undefined,
    room: undefined,
    next: nextSession(options),
    sessions: [],
    isEngineAway: false,
    hasInterrupted: false,
    failure: undefined,
    suggest: () => undefined,
    refresh: () => undefined,
    stop: () => state.leaving.abort(),
  };
  const off = onInterrupt(() => interrupt(state));
  const { signal } = state.leaving;
  signal.addEventListener("abort", () => lines.close(), { once: true });
  try {
    if (session === undefined) await showNew(state);
    else await enterRoom(state, session);
    for (;;) {
      const line = await lines.read();
      if (line === undefined || signal.aborted) break;
      if (line.trim() !== "") await takeLine(state, line);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    off();
    state.leaving.abort();
    await leaveRoom(state);
    if (!context.json) state.page.endLine();
  }
  if (state.failure !== undefined) throw state.failure;
  return state.hasInterrupted ? EXIT.interrupted : EXIT.ok;
}
