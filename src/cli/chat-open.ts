import { type Client, Provider, type Session, type Turn, TurnEndReason } from "../client/client.ts";
import { wholeMessage } from "../client/transcript.ts";
import type { Context } from "./context.ts";
import { turnEndLine } from "./session-lines.ts";
import type { SessionView } from "./session-view.ts";

/** How much of what was said before is shown again. */
const HISTORY = 20;

export interface ChatOptions {
  readonly session?: string;
  readonly continue?: boolean;
  readonly profile?: string;
  readonly model?: string;
}

/** Undefined = a new one is made with the first message, so that looking in leaves nothing behind. */
export async function findSession(client: Client, options: ChatOptions): Promise<Session | undefined> {
  if (options.session !== undefined) {
    return (await client.sessions.getSession({ sessionId: options.session })).session;
  }
  if (options.continue !== true) return undefined;
  return (await client.sessions.listSessions({ pageSize: 1 })).sessions[0];
}

/** Says whom one is going to talk to. */
export async function showNew(context: Context, client: Client, { profile: name, model }: ChatOptions): Promise<void> {
  const { out } = context;
  const profile =
    name === undefined
      ? (await client.profiles.listProfiles({ pageSize: 500 })).profiles.find(({ isDefault }) => isDefault)
      : (await client.profiles.getProfile({ name })).profile;
  if (!out.isTerminal || context.json || profile === undefined) return;
  const { bold, dim } = out.style;
  const what =
    profile.provider === Provider.DEMO ? "a new session with the demo model, which is no AI" : "a new session";
  out.write(`${bold(out.foreignLine(model ?? profile.model))} ${dim(`· ${what} · /help`)}\n\n`);
  if (profile.provider === Provider.DEMO) {
    out.write(`${dim("Try: what time is it? Set OPENAI_API_KEY and start the engine again to talk to a model.")}\n\n`);
  }
}

/** Shows what was said while one was away. Returns the event to follow from. */
export async function showOld(context: Context, client: Client, view: SessionView, session: Session): Promise<bigint> {
  const { out } = context;
  const { id, runningTurnId, lastSeq } = session;
  const running =
    runningTurnId === "" ? undefined : (await client.messages.getTurn({ sessionId: id, turnId: runningTurnId })).turn;
  // The running turn is shown from its first event: what it has said so far is in its deltas.
  const afterSeq = running === undefined ? lastSeq : running.firstSeq - 1n;
  if (context.json) return afterSeq;

  const { messages, nextPageToken } = await client.sessions.listMessages({ sessionId: id, pageSize: HISTORY });
  if (out.isTerminal) {
    const { bold, dim } = out.style;
    out.write(
      `${bold(out.foreignLine(session.title || id))} ${dim(`· ${out.foreignLine(session.model)} · /help`)}\n\n`,
    );
    if (nextPageToken !== "") {
      out.write(`${dim(`earlier messages: ${context.commandLine(`sessions show ${id}`)}`)}\n\n`);
    }
  }
  for (const message of messages) if (message.turnId !== running?.id) view.showMessage(wholeMessage(message));
  if (running === undefined)
    showEnd(context, view, (await client.messages.listTurns({ sessionId: id, pageSize: 1 })).turns[0]);
  return afterSeq;
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
