import type { ChatOptions } from "./state.ts";
import type { Context } from "../context.ts";
import type { ExitCode } from "../exit-code.ts";

/** With a human at a terminal, or with lines from a pipe. */
export async function chat(context: Context, options: ChatOptions): Promise<ExitCode> {
  const client = await context.client();
  const { stdin, out, env, json } = context;
  // A dumb terminal cannot draw a row again: its lines are read and answered as those of a pipe.
  const isInteractive = stdin.isTTY && out.isTerminal && env["TERM"] !== "dumb" && !json;
  if (isInteractive) return (await import("./live.ts")).chatLive(context, client, options);
  return (await import("./pipe.ts")).chatInPipe(context, client, options);
}
