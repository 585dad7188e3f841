import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { completionOf, type CompletedWord } from "./completion-words.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { visibleLine } from "./terminal/visible.ts";
import { shorten } from "./terminal/width.ts";

/** Nobody waits longer for a Tab. */
const TIMEOUT_MS = 700;
const MAX_SESSIONS = 100;
const MAX_HINT = 60;

/** Tells a shell what could stand where the cursor is: one line each, its hint after a tab; or `:files`. */
export async function complete(context: Context, program: Command, typed: readonly string[]): Promise<ExitCode> {
  const { out } = context;
  const found = completionOf(program, typed);
  if (found.kind === "files") {
    out.write(":files\n");
    return EXIT.ok;
  }
  const words = found.kind === "words" ? found.words : await ask(context, typed, found.kind);
  const current = typed.at(-1) ?? "";
  for (const { text, hint } of words) {
    // A title may hold anything, and a shell shows it.
    if (text.startsWith(current)) out.write(`${visibleLine(text)}\t${shorten(visibleLine(hint), MAX_HINT)}\n`);
  }
  return EXIT.ok;
}

type Asked = "sessions" | "profiles" | "requests" | "nothing";

async function ask(context: Context, typed: readonly string[], what: Asked): Promise<readonly CompletedWord[]> {
  if (what === "nothing") return [];
  let client: Client | undefined;
  try {
    const { createClient } = await import("../client/client.ts");
    client = createClient({ ...engineOptions(typed, context.globals), env: context.env });
    return await ASKED[what](client);
  } catch {
    // There is no place to say that the engine is away: the line that is being typed is the human's.
    return [];
  } finally {
    client?.close();
  }
}

/** What is open, the most urgent first. */
async function requestsOf(client: Client): Promise<CompletedWord[]> {
  const { requests } = await client.requests.listRequests({ pageSize: MAX_SESSIONS }, { timeoutMs: TIMEOUT_MS });
  return requests.map(({ id, title }) => ({ text: id, hint: title }));
}

async function sessionsOf(client: Client): Promise<CompletedWord[]> {
  const { sessions } = await client.sessions.listSessions({ pageSize: MAX_SESSIONS }, { timeoutMs: TIMEOUT_MS });
  return sessions.map(({ id, title }) => ({ text: id, hint: title || "untitled" }));
}

async function profilesOf(client: Client): Promise<CompletedWord[]> {
  const { profiles } = await client.profiles.listProfiles({ pageSize: 500 }, { timeoutMs: TIMEOUT_MS });
  return profiles.map(({ name, model }) => ({ text: name, hint: model }));
}

const ASKED = { sessions: sessionsOf, profiles: profilesOf, requests: requestsOf };

/** The engine that the line which is being typed is about. */
function engineOptions(
  typed: readonly string[],
  { url, dataDir }: GlobalOptions,
): Pick<GlobalOptions, "url" | "dataDir"> {
  const after = (name: string): string | undefined => {
    const at = typed.lastIndexOf(name);
    return at >= 0 && at < typed.length - 2 ? typed[at + 1] : undefined;
  };
  const given = { url: after("--url") ?? url, dataDir: after("--data-dir") ?? dataDir };
  return { ...(given.url && { url: given.url }), ...(given.dataDir && { dataDir: given.dataDir }) };
}
