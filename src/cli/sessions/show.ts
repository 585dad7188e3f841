import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  type Message,
  MessageSchema,
  type Session,
  SessionSchema,
  TodoItemSchema,
} from "../../client/client.ts";
import { wholeMessage } from "../../client/transcript.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatCount, formatTime } from "../view/format.ts";
import { resolveSession } from "../session-ref.ts";
import { createSessionView } from "../view/session-view.ts";
import { todoLines } from "../view/todo-lines.ts";
import { stateWord } from "./list.ts";

const PAGE = 1000;

export interface ShowOptions {
  /** True: each message with its id, for fork and rewind. */
  readonly ids?: boolean;
}

/** JSON is one object: the session, its messages, the oldest first, and what its agent means to do. */
export async function showSession(context: Context, given: string, { ids = false }: ShowOptions): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const sessionId = await resolveSession(client, given);
  const { session } = await client.sessions.getSession({ sessionId });
  if (session === undefined) throw new Error("the engine returned no session");
  const messages = await readMessages(client, sessionId);
  const { todos } = await client.sessions.getSnapshot({ sessionId, pageSize: 1 });
  if (json) {
    const all = {
      session: toJson(SessionSchema, session),
      messages: messages.map((message) => toJson(MessageSchema, message)),
      todos: todos.map((item) => toJson(TodoItemSchema, item)),
    };
    out.write(`${JSON.stringify(all)}\n`);
    return EXIT.ok;
  }
  out.write(sessionHead(context, session));
  const view = createSessionView(out, { isMarkdown: out.isTerminal });
  for (const message of messages) {
    if (ids) view.page.line(`id ${message.id}`, out.style.dim(message.id));
    view.showMessage(wholeMessage(message));
  }
  if (todos.length > 0) out.write(`\n${todoLines(out, todos).join("\n")}\n`);
  return EXIT.ok;
}

/** Pages come from the newest to the oldest. */
async function readMessages(client: Client, sessionId: string): Promise<Message[]> {
  const pages: Message[][] = [];
  let pageToken = "";
  do {
    const page = await client.sessions.listMessages({ sessionId, pageSize: PAGE, pageToken });
    pages.unshift(page.messages);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages.flat();
}

function sessionHead({ out }: Context, session: Session): string {
  const { dim, bold } = out.style;
  const { id, profile, model, createTime, usage, runningTurnId } = session;
  const { systemPrompt, labels, workspace, forkedFrom, agent, parentSessionId } = session;
  const used = usage === undefined ? [] : [formatCount(usage.inputTokens + usage.outputTokens, "token")];
  const facts = [
    model === profile ? model : `${model} of ${profile}`,
    createTime === undefined ? "" : formatTime(timestampDate(createTime)),
    ...used,
    runningTurnId === "" ? "" : stateWord(session.state),
  ];
  const more = [
    agent === "" ? "" : `agent: ${agent}`,
    systemPrompt === "" ? "" : `system: ${systemPrompt}`,
    ...Object.entries(labels).map(([name, value]) => `label: ${name}=${value}`),
    workspace === "" ? "" : `workspace: ${workspace}`,
    forkedFrom === "" ? "" : `forked from: ${forkedFrom}`,
    parentSessionId === "" ? "" : `started by an agent of: ${parentSessionId}`,
  ].filter(Boolean);
  const title = `${session.starred ? "★ " : ""}${out.foreignLine(session.title || "untitled")}`;
  const lines = [[id, ...facts.filter(Boolean)].join(" · "), ...more].map((line) => dim(out.foreignLine(line)));
  return `${bold(title)}\n${lines.join("\n")}\n\n`;
}
