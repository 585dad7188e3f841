import { resolve } from "node:path";
import {
  ApprovalMode,
  type Client,
  type Picture,
  Provider,
  type Session,
  type Turn,
  TurnEndReason,
} from "../../client/client.ts";
import type { Chat, ChatOptions, NextSession, Room } from "./state.ts";
import type { Context } from "../context.ts";
import { modeOf } from "../permissions/words.ts";
import { turnEndLine } from "../view/session-lines.ts";
import { resolveSession } from "../session-ref.ts";
import type { SessionView } from "../view/session-view.ts";

/** What the sessions that a chat makes begin with. */
export function nextSession({ profile = "", agent = "", model = "", workspace, mode }: ChatOptions): NextSession {
  // A folder is named from here, and the engine wants it whole.
  const folder = workspace === undefined ? "" : resolve(workspace);
  const approvalMode = mode === undefined ? ApprovalMode.UNSPECIFIED : modeOf(mode);
  return { profile, agent, model, workspace: folder, approvalMode };
}

/** Undefined = none was named. */
export async function findSession(client: Client, options: ChatOptions): Promise<string | undefined> {
  if (options.session !== undefined) return resolveSession(client, options.session);
  if (options.continue !== true) return undefined;
  return (await client.sessions.listSessions({ pageSize: 1, parentSessionId: "" })).sessions[0]?.id;
}

/** Says whom one is going to talk to. */
export async function showNew({ context, client, page, options }: Chat): Promise<void> {
  const { out } = context;
  const { profile: name, agent, model } = options;
  const { profiles } = await client.profiles.listProfiles({ pageSize: 500 });
  const profile =
    name === undefined
      ? profiles.find(({ isDefault }) => isDefault)
      : (await client.profiles.getProfile({ name })).profile;
  if (!out.isTerminal || context.json || profile === undefined) return;
  const { bold, dim } = out.style;
  if (agent !== undefined) {
    // What it calls is its definition's to say.
    page.line("head", `${bold(out.foreignLine(agent))} ${dim("· a new session · /help")}`);
    return;
  }
  const isDemo = profile.provider === Provider.DEMO;
  const what = isDemo ? "a new session with the demo model, which is no AI" : "a new session";
  page.line("head", `${bold(out.foreignLine(model || profile.model))} ${dim(`· ${what} · /help`)}`);
  if (!isDemo) return;
  const other = profiles.find(({ provider }) => provider !== Provider.DEMO);
  const advice =
    other === undefined
      ? "Set OPENAI_API_KEY and start the engine again to talk to a model."
      : `Begin with --profile ${out.foreignLine(other.name)} to talk to a model.`;
  page.line("advice", dim(`Try: what time is it? ${advice}`));
}

/** Shows what was said while one was away. */
export async function showOld(chat: Chat, room: Room, { snapshot }: Picture): Promise<void> {
  const { client, context } = chat;
  const { session, nextPageToken, runningTurn } = snapshot;
  if (session !== undefined) showHead(chat, session, nextPageToken !== "");
  room.view.showSnapshot(snapshot);
  if (runningTurn !== undefined) return;
  const { turns } = await client.messages.listTurns({ sessionId: room.sessionId, pageSize: 1 });
  showEnd(context, room.view, turns[0]);
}

function showHead({ context, page }: Chat, session: Session, hasEarlier: boolean): void {
  const { out } = context;
  if (!out.isTerminal) return;
  const { bold, dim } = out.style;
  const name = out.foreignLine(session.title || session.id);
  page.line("head", `${bold(name)} ${dim(`· ${out.foreignLine(session.model)} · /help`)}`);
  if (hasEarlier) page.line("head", dim(`earlier messages: ${context.commandLine(`sessions show ${session.id}`)}`));
}

function showEnd({ out }: Context, view: SessionView, turn: Turn | undefined): void {
  // That it was stopped stands at its message already.
  if (turn === undefined || turn.endReason === TurnEndReason.CANCELLED) return;
  const { endReason: reason, error, usage } = turn;
  const line = turnEndLine(
    out,
    { $typeName: "parley.v1.TurnEnded", reason, ...(error && { error }), ...(usage && { usage }) },
    RETRY_HINT,
  );
  if (line !== undefined) view.page.line("end", line);
}

export const RETRY_HINT = "/retry goes on from there";
