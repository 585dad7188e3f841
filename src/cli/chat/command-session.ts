import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Session } from "../../client/client.ts";
import { type ChatCommand, list, needed, roomOf, toNumber } from "./command.ts";
import { enterRoom, leaveRoom } from "./room.ts";
import type { Chat } from "./state.ts";
import { formatSpan, formatTable } from "../view/format.ts";
import { resolveSession } from "../session-ref.ts";
import { stateWord } from "../sessions/list.ts";
import { shorten } from "../terminal/width.ts";

const LISTED = 15;

async function update(
  chat: Chat,
  change: { title?: string; model?: string; starred?: boolean },
): Promise<Session | undefined> {
  const request = { sessionId: roomOf(chat).sessionId, ...change };
  const { session } = await chat.client.sessions.updateSession(request, { signal: chat.leaving.signal });
  return session;
}

function tell(chat: Chat, text: string): void {
  chat.page.line("note", chat.context.out.style.dim(chat.context.out.foreignLine(text)));
}

async function setModel(chat: Chat, name: string): Promise<void> {
  const { room } = chat;
  const model = name === "default" ? "" : name;
  if (name === "") tell(chat, `the model is ${room?.facts.model ?? (chat.next.model || "the profile's")}`);
  else if (room === undefined) {
    chat.next = { ...chat.next, model };
    tell(chat, `the next session talks to ${model || "the profile's model"}`);
  } else {
    const before = room.facts.model;
    const session = await update(chat, { model });
    // A change is told to all who watch, by its event.
    if (session?.model === before) tell(chat, `the model is ${before} already`);
  }
}

async function star(chat: Chat, isStarred: boolean): Promise<void> {
  await update(chat, { starred: isStarred });
  tell(chat, isStarred ? "★ starred" : "no star any more");
}

async function leave(chat: Chat): Promise<void> {
  const before = chat.room?.sessionId;
  await leaveRoom(chat);
  tell(chat, before === undefined ? "a new session" : `a new session; the other is ${before}`);
}

async function switchTo(chat: Chat, argument: string): Promise<void> {
  if (argument === "") return showSessions(chat);
  const { client, sessions } = chat;
  const listed = /^\d{1,3}$/.test(argument) && sessions.length > 0;
  const sessionId = listed
    ? (sessions[toNumber(argument, sessions.length, "/sessions") - 1]?.id ?? "")
    : await resolveSession(client, argument);
  await enterRoom(chat, sessionId);
}

async function showSessions(chat: Chat): Promise<void> {
  const { client, context } = chat;
  const { style } = context.out;
  const { sessions } = await client.sessions.listSessions(
    { pageSize: LISTED, parentSessionId: "" },
    { signal: chat.leaving.signal },
  );
  chat.sessions = sessions;
  if (sessions.length === 0) return list(chat, [style.dim("no session yet")]);
  const rows = sessions.map((session, index) => [
    `${session.id === chat.room?.sessionId ? "›" : " "}${String(index + 1).padStart(2)}`,
    session.starred ? "★" : " ",
    stateWord(session.state),
    session.updateTime === undefined ? "" : `${formatSpan(Date.now() - timestampMs(session.updateTime))} ago`,
    shorten(context.out.foreignLine(session.title || "untitled"), 48),
  ]);
  list(chat, [...formatTable(rows), style.dim("/sessions N goes into one of them")]);
}

export const SESSION_COMMANDS: readonly ChatCommand[] = [
  {
    name: "/title",
    argument: "TEXT",
    hint: "name the session",
    async run(chat, text) {
      await update(chat, { title: needed(text, "/title TEXT") });
      tell(chat, `the title is ${text}`);
    },
  },
  {
    name: "/model",
    argument: "[NAME]",
    hint: "talk to another model; default is the profile's",
    run: setModel,
    choices: () => [{ text: "default", hint: "the profile's model" }],
  },
  { name: "/star", argument: "", hint: "mark the session", run: async (chat) => star(chat, true) },
  { name: "/unstar", argument: "", hint: "take the mark away", run: async (chat) => star(chat, false) },
  { name: "/new", argument: "", hint: "begin a new session", isMove: true, run: leave },
  {
    name: "/sessions",
    argument: "[N|SESSION]",
    hint: "list the newest sessions, or go into one",
    isMove: true,
    run: switchTo,
    choices: (chat) => chat.sessions.map(({ title, id }, index) => ({ text: String(index + 1), hint: title || id })),
  },
];
