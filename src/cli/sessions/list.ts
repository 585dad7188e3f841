import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, type Session, SessionOrder, SessionSchema, SessionState } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatSpan, formatTable } from "../view/format.ts";
import type { Output } from "../output.ts";
import { resolveSession } from "../session-ref.ts";
import { shorten } from "../terminal/width.ts";

const DEFAULT_LIMIT = 50;
const MAX_PAGE = 500;
const MAX_TITLE = 48;

export interface SessionFilter {
  readonly query?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly state?: keyof typeof STATES;
  readonly starred?: boolean;
  readonly profile?: string;
  readonly workspace?: string;
  readonly order?: keyof typeof ORDERS;
  /** The session whose agents must have started it; absent = none must have. */
  readonly children?: string;
}

export interface ListOptions extends SessionFilter {
  /** 0 = all. */
  readonly limit?: number;
}

export const STATES = {
  idle: SessionState.IDLE,
  running: SessionState.RUNNING,
  waiting: SessionState.WAITING,
} as const;

/** A newer engine may have states that are not known here. */
export function stateWord(state: SessionState): string {
  return Object.entries(STATES).find(([, known]) => known === state)?.[0] ?? "busy";
}

export const ORDERS = {
  newest: SessionOrder.CREATE_TIME_DESC,
  oldest: SessionOrder.CREATE_TIME_ASC,
  changed: SessionOrder.UPDATE_TIME_DESC,
  title: SessionOrder.TITLE_ASC,
} as const;

export async function listSessions(context: Context, options: ListOptions): Promise<ExitCode> {
  const { out, json } = context;
  const { limit = DEFAULT_LIMIT, ...given } = options;
  const client = await context.client();
  const children = given.children === undefined ? undefined : await resolveSession(client, given.children);
  const filter = { ...given, ...(children !== undefined && { children }) };
  const rows: string[][] = [];
  let count = 0;
  for await (const session of readSessions(client, filter, limit === 0 ? Number.POSITIVE_INFINITY : limit)) {
    count++;
    if (json) out.write(`${toJsonString(SessionSchema, session)}\n`);
    else rows.push(sessionRow(session, out));
  }
  if (!json && count > 0) out.write(`${formatTable(rows).join("\n")}\n`);
  if (count === 0 && out.isTerminal && !json) {
    const isFiltered = Object.keys(filter).length > 0;
    context.note(isFiltered ? "no session is so" : `no session yet; begin one with \`${context.commandLine("chat")}\``);
  }
  return EXIT.ok;
}

async function* readSessions(client: Client, filter: SessionFilter, limit: number): AsyncGenerator<Session> {
  const { query = "", label = {}, state, starred, profile = "", workspace = "", order, children = "" } = filter;
  const request = {
    query,
    labels: label,
    states: state === undefined ? [] : [STATES[state]],
    ...(starred === undefined ? {} : { starred }),
    profile,
    workspace,
    parentSessionId: children,
    order: order === undefined ? SessionOrder.UNSPECIFIED : ORDERS[order],
  };
  let left = limit;
  let pageToken = "";
  do {
    const page = await client.sessions.listSessions({ ...request, pageSize: Math.min(left, MAX_PAGE), pageToken });
    for (const session of page.sessions.slice(0, left)) {
      left--;
      yield session;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && left > 0);
}

function sessionRow(session: Session, { foreignLine, style }: Output): string[] {
  const { id, state, updateTime, model, starred, labels } = session;
  const age = updateTime === undefined ? "" : `${formatSpan(Date.now() - timestampMs(updateTime))} ago`;
  const title = shorten(foreignLine(session.title || "untitled"), MAX_TITLE);
  const marks = Object.entries(labels).map(([name, value]) => foreignLine(value === "" ? name : `${name}=${value}`));
  const labelText = marks.length === 0 ? "" : `  ${style.dim(shorten(marks.join(" "), MAX_TITLE))}`;
  return [id, stateWord(state), age, foreignLine(model), `${starred ? "★ " : ""}${title}${labelText}`];
}
