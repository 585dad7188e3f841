import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Session, SessionSchema, SessionState } from "../client/client.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatSpan, formatTable } from "./format.ts";
import { shorten } from "./width.ts";

const DEFAULT_LIMIT = 50;
const MAX_PAGE = 500;
const MAX_TITLE = 48;

export interface ListOptions {
  /** 0 = all. */
  readonly limit?: number;
}

export async function listSessions(context: Context, { limit = DEFAULT_LIMIT }: ListOptions): Promise<ExitCode> {
  const { out, json } = context;
  const rows: string[][] = [];
  let count = 0;
  for await (const session of readSessions(context, limit === 0 ? Number.POSITIVE_INFINITY : limit)) {
    count++;
    if (json) out.write(`${toJsonString(SessionSchema, session)}\n`);
    else rows.push(sessionRow(session, out.foreignLine));
  }
  if (!json && count > 0) out.write(`${formatTable(rows).join("\n")}\n`);
  if (count === 0 && out.isTerminal && !json)
    context.note(`no session yet; begin one with \`${context.commandLine("chat")}\``);
  return EXIT.ok;
}

async function* readSessions(context: Context, limit: number): AsyncGenerator<Session> {
  const client = await context.client();
  let left = limit;
  let pageToken = "";
  do {
    const page = await client.sessions.listSessions({ pageSize: Math.min(left, MAX_PAGE), pageToken });
    for (const session of page.sessions.slice(0, left)) {
      left--;
      yield session;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && left > 0);
}

function sessionRow(session: Session, safe: (text: string) => string): string[] {
  const { id, state, updateTime, model } = session;
  const isRunning = state === SessionState.RUNNING;
  const age = updateTime === undefined ? "" : `${formatSpan(Date.now() - timestampMs(updateTime))} ago`;
  return [id, isRunning ? "running" : "idle", age, safe(model), shorten(safe(session.title), MAX_TITLE)];
}
