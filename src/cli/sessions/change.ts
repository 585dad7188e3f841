import { randomUUID } from "node:crypto";
import { toJsonString } from "@bufbuild/protobuf";
import { type Session, SessionSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { resolveSession, resolveSessions } from "../session-ref.ts";

/** Stars sessions, or takes their stars away. */
export async function starSessions(context: Context, given: readonly string[], isStarred: boolean): Promise<ExitCode> {
  const client = await context.client();
  for (const sessionId of await resolveSessions(client, given)) {
    const { session } = await client.sessions.updateSession({ sessionId, starred: isStarred });
    tell(context, session, isStarred ? "starred" : "unstarred");
  }
  return EXIT.ok;
}

export async function renameSession(context: Context, given: string, words: readonly string[]): Promise<ExitCode> {
  const client = await context.client();
  const sessionId = await resolveSession(client, given);
  const { session } = await client.sessions.updateSession({ sessionId, title: words.join(" ") });
  tell(context, session, "renamed");
  return EXIT.ok;
}

/** Sets labels and leaves the others; a label without a value is one that is empty. */
export async function labelSession(context: Context, given: string, labels: readonly string[]): Promise<ExitCode> {
  return changeLabels(context, given, "labelled", (before) => ({
    ...before,
    ...Object.fromEntries(labels.map(toLabel)),
  }));
}

export async function unlabelSession(context: Context, given: string, names: readonly string[]): Promise<ExitCode> {
  return changeLabels(context, given, "unlabelled", (before) =>
    Object.fromEntries(Object.entries(before).filter(([name]) => !names.includes(name))),
  );
}

/** `name=value`, or a name alone. */
export function toLabel(text: string): [string, string] {
  const [name = "", ...value] = text.split("=");
  if (name === "") throw new UsageError(`${text} is no label; write it like name=value`);
  return [name, value.join("=")];
}

type LabelValues = Record<string, string>;

async function changeLabels(
  context: Context,
  given: string,
  done: string,
  change: (before: LabelValues) => LabelValues,
): Promise<ExitCode> {
  const client = await context.client();
  const sessionId = await resolveSession(client, given);
  const before = (await client.sessions.getSession({ sessionId })).session?.labels ?? {};
  const { session } = await client.sessions.updateSession({ sessionId, labels: { values: change(before) } });
  tell(context, session, done);
  return EXIT.ok;
}

export interface ForkOptions {
  readonly before?: string;
  readonly title?: string;
}

/** Prints the new session's id alone, for scripts. */
export async function forkSession(
  context: Context,
  given: string,
  { before = "", title }: ForkOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const { session } = await client.sessions.forkSession({
    sessionId: await resolveSession(client, given),
    idempotencyKey: randomUUID(),
    beforeMessageId: before,
    ...(title === undefined ? {} : { title }),
  });
  if (context.json) tell(context, session, "");
  else context.out.write(`${session?.id ?? ""}\n`);
  return EXIT.ok;
}

export async function rewindSession(context: Context, given: string, messageId: string): Promise<ExitCode> {
  const client = await context.client();
  const sessionId = await resolveSession(client, given);
  const { session, firstMessageId } = await client.sessions.rewindSession({ sessionId, messageId });
  tell(context, session, `rewound to before ${firstMessageId}:`);
  return EXIT.ok;
}

export async function clearSession(
  context: Context,
  given: string,
  { yes = false }: { yes?: boolean },
): Promise<ExitCode> {
  if (!yes) throw new UsageError("this removes all that was said in it, for ever; give --yes to do it");
  const client = await context.client();
  const { session } = await client.sessions.clearHistory({ sessionId: await resolveSession(client, given) });
  tell(context, session, "cleared");
  return EXIT.ok;
}

function tell({ out, json }: Context, session: Session | undefined, what: string): void {
  if (session === undefined) throw new Error("the engine returned no session");
  out.write(json ? `${toJsonString(SessionSchema, session)}\n` : `${what} ${session.id}\n`);
}
