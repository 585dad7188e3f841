import { toJson } from "@bufbuild/protobuf";
import {
  type Client,
  type GetContextResponse,
  GetContextResponseSchema,
  InstructionSource,
  Role,
} from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatCount, formatTable } from "../view/format.ts";
import { resolveSession } from "../session-ref.ts";
import { shorten } from "../terminal/width.ts";

const PAGE = 1000;

const SOURCES: Readonly<Partial<Record<InstructionSource, string>>> = {
  [InstructionSource.ENGINE]: "the engine",
  [InstructionSource.AGENT]: "the agent",
  [InstructionSource.SESSION]: "the session",
  [InstructionSource.WORKSPACE]: "the workspace",
};

const ROLES: Readonly<Partial<Record<Role, string>>> = {
  [Role.SYSTEM]: "system",
  [Role.USER]: "user",
  [Role.ASSISTANT]: "assistant",
  [Role.TOOL]: "tool",
};

export interface ContextOptions {
  /** How many of the newest messages are listed; 0 = all. */
  readonly limit?: number;
}

/** What a session's model would be sent next. JSON is one object with all messages. */
export async function showContext(context: Context, given: string, { limit = 20 }: ContextOptions): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const sessionId = await resolveSession(client, given);
  const found = await readContext(client, sessionId, json || limit === 0 ? Infinity : limit);
  if (json) out.write(`${JSON.stringify(toJson(GetContextResponseSchema, found))}\n`);
  else for (const line of contextLines(context, found)) out.write(`${line}\n`);
  return EXIT.ok;
}

async function readContext(client: Client, sessionId: string, limit: number): Promise<GetContextResponse> {
  const pageSize = Math.min(PAGE, limit);
  const found = await client.sessions.getContext({ sessionId, pageSize });
  while (found.nextPageToken !== "" && found.messages.length < limit) {
    const older = await client.sessions.getContext({ sessionId, pageSize, pageToken: found.nextPageToken });
    found.messages.unshift(...older.messages);
    found.nextPageToken = older.nextPageToken;
  }
  return found;
}

function* contextLines({ out }: Context, found: GetContextResponse): Generator<string> {
  const { bold, dim } = out.style;
  const to = found.model === found.profile ? found.model : `${found.model} of ${found.profile}`;
  yield `${bold(out.foreignLine(to))} ${dim(`· about ${formatCount(found.estimatedTokens, "token")}`)}`;
  for (const { source, origin, text, estimatedTokens } of found.instructions) {
    const who = `${SOURCES[source] ?? "somebody"} says${origin === "" ? "" : ` (${origin})`}`;
    yield "";
    yield `${bold(out.foreignLine(who))} ${dim(about(estimatedTokens))}`;
    yield out.foreign(text);
  }
  yield* toolLines(out, found);
  const { messages, messageCount } = found;
  const shown = messages.length < messageCount ? `, the newest ${messages.length}` : "";
  yield "";
  yield bold(`${formatCount(messageCount, "message")}${shown}`);
  const rows = messages.map((one) => [one.messageId, ROLES[one.role] ?? "", dim(about(one.estimatedTokens))]);
  yield* formatTable(rows);
}

function* toolLines(out: Context["out"], { tools }: GetContextResponse): Generator<string> {
  const { bold, dim } = out.style;
  yield "";
  yield bold(formatCount(tools.length, "tool"));
  const rows = tools.map(({ name, description, origin, estimatedTokens }) => {
    const from = origin === "engine" ? "" : ` of ${origin}`;
    return [out.foreignLine(name + from), about(estimatedTokens), dim(out.foreignLine(shorten(description, 60)))];
  });
  yield* formatTable(rows);
}

function about(tokens: bigint): string {
  return formatCount(tokens, "token");
}
