import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Client, type Message, MessageSchema, type Session, SessionSchema } from "../client/client.ts";
import { wholeMessage } from "../client/transcript.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatCount } from "./format.ts";
import { createSessionView } from "./session-view.ts";

const PAGE = 1000;

/** JSON is one object: the session and its messages, the oldest first. */
export async function showSession(context: Context, sessionId: string): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const { session } = await client.sessions.getSession({ sessionId });
  if (session === undefined) throw new Error("the engine returned no session");
  const messages = await readMessages(client, sessionId);
  if (json) {
    const all = {
      session: toJson(SessionSchema, session),
      messages: messages.map((message) => toJson(MessageSchema, message)),
    };
    out.write(`${JSON.stringify(all)}\n`);
    return EXIT.ok;
  }
  out.write(sessionHead(context, session));
  const view = createSessionView(out);
  for (const message of messages) view.showMessage(wholeMessage(message));
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
  const { id, title, profile, model, createTime, usage, runningTurnId, systemPrompt } = session;
  const used = usage === undefined ? [] : [formatCount(usage.inputTokens + usage.outputTokens, "token")];
  const facts = [
    `${model} of ${profile}`,
    createTime === undefined ? "" : timestampDate(createTime).toLocaleString(),
    ...used,
    runningTurnId === "" ? "" : "running",
  ];
  const system = systemPrompt === "" ? "" : `${dim(`system: ${out.foreignLine(systemPrompt)}`)}\n`;
  return `${bold(out.foreignLine(title || "untitled"))}\n${dim(out.foreignLine([id, ...facts.filter(Boolean)].join(" · ")))}\n${system}\n`;
}
