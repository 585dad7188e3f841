import { toJsonString } from "@bufbuild/protobuf";
import {
  type ApprovalMode,
  EventSchema,
  type FollowItem,
  followSession,
  loadPicture,
  type Session,
} from "../../client/client.ts";
import { createAgents } from "./agents.ts";
import { RETRY_HINT, showOld } from "./open.ts";
import type { Chat, Room } from "./state.ts";
import { createChatTurns } from "./turns.ts";
import { tellAsked } from "../requests/tell-asked.ts";
import { modeText } from "../permissions/words.ts";
import { tellState } from "../view/follow-state.ts";
import { createSessionFacts, type SessionFacts } from "../view/session-facts.ts";
import { tryAgain } from "../try-again.ts";
import { createSessionView } from "../view/session-view.ts";

/** How much of what was said before is shown again. */
const SHOWN = 20;

/** Goes into a session that was there before: shows what was said, then what happens. */
export async function enterRoom(chat: Chat, sessionId: string): Promise<Room> {
  const { client, leaving } = chat;
  const picture = await loadPicture(client, { sessionId, pageSize: SHOWN, signal: leaving.signal });
  const { session, queue, requests } = picture.snapshot;
  if (session === undefined) throw new Error("the engine returned no session");
  await leaveRoom(chat);
  const room = createRoom(chat, session);
  room.facts.takeQueue(queue);
  chat.desk?.take(requests);
  chat.room = room;
  if (!chat.context.json) await showOld(chat, room, picture);
  if (picture.snapshot.toolCalls.length > 0) room.agents?.resume();
  follow(chat, room, picture.from);
  return room;
}

/** Goes into a session that was made just now. */
export async function enterNewRoom(chat: Chat, session: Session): Promise<Room> {
  await leaveRoom(chat);
  const room = createRoom(chat, session);
  chat.room = room;
  follow(chat, room, { afterSeq: 0n });
  return room;
}

export async function leaveRoom(chat: Chat): Promise<void> {
  const { room } = chat;
  chat.room = undefined;
  chat.desk?.take([]);
  room?.leaving.abort();
  await room?.following;
  await room?.agents?.whenDone();
}

function createRoom(chat: Chat, session: Session): Room {
  const { context, page, isInteractive, desk, options } = chat;
  const view = createSessionView(context.out, {
    page,
    retryHint: RETRY_HINT,
    isMarkdown: context.out.isTerminal && options.plain !== true,
    hidesQueue: isInteractive,
    ...(desk !== undefined && { answeredHere: desk.isOwn }),
  });
  const leaving = new AbortController();
  chat.leaving.signal.addEventListener("abort", () => leaving.abort(), { once: true, signal: leaving.signal });
  const { signal } = leaving;
  const place = { client: chat.client, sessionId: session.id, page, output: context.out, signal, note: context.note };
  return {
    sessionId: session.id,
    view,
    ...(isInteractive && { agents: createAgents(place) }),
    facts: createSessionFacts(session, Date.now),
    turns: createChatTurns(session.runningTurnId),
    leaving,
    following: Promise.resolve(),
  };
}

/** Where to follow from. */
interface FollowFrom {
  readonly afterSeq: bigint | undefined;
  readonly logEpoch?: string | undefined;
}

/** Shows what happens in the session, whoever does it, until the room is left. */
function follow(chat: Chat, room: Room, from: FollowFrom): void {
  const { client, context, page } = chat;
  const tell = tellState(context, () => !context.json && page.endLine());
  const onState: typeof tell = (state) => {
    chat.isEngineAway = state.kind === "waiting" && (state.failures > 2 || chat.isEngineAway);
    chat.refresh();
    // A human reads it in the line of the state.
    if (!chat.isInteractive) tell(state);
  };
  const { sessionId } = room;
  const { signal } = room.leaving;
  const work = async (): Promise<void> => {
    try {
      for await (const item of followSession(client, { sessionId, ...from, signal, onState })) {
        show(chat, room, item);
        if (item.kind === "caught_up" && room.facts.isReplaying) await takeSession(chat, room);
      }
    } catch (error) {
      if (signal.aborted) return;
      chat.failure = error as Error;
      chat.leaving.abort();
      chat.stop();
    }
  };
  room.following = work();
}

/** What a log tells of its session may be older than the session is: a backup brings one back, and a cut shortens it. */
async function takeSession(chat: Chat, { sessionId, facts, leaving }: Room): Promise<void> {
  const { signal } = leaving;
  const { session } = await tryAgain(() => chat.client.sessions.getSession({ sessionId }, { signal }), signal);
  const modeBefore = facts.mode;
  if (session !== undefined) facts.take(session);
  tellMode(chat, facts, modeBefore);
  chat.refresh();
}

/** How much it may do unasked is never changed in silence, least of all by somebody else. */
function tellMode({ context }: Chat, { mode }: SessionFacts, before: ApprovalMode): void {
  if (mode !== before) context.note(`the mode is now ${modeText(mode)}`);
}

function show(chat: Chat, room: Room, item: FollowItem): void {
  const { context } = chat;
  if (item.kind === "caught_up") return;
  if (item.kind === "reset") {
    room.view.reset();
    room.turns.forget();
    room.facts.forget();
    chat.desk?.take([]);
    context.note(`the log is another one now (${item.reason}); all of it follows`);
    return;
  }
  // The facts first: what waits goes from the line of the state when it appears as said.
  const modeBefore = room.facts.mode;
  room.facts.see(item.event);
  chat.desk?.see(item.event);
  if (!chat.isInteractive) tellAsked(context, item.event);
  if (context.json) context.out.write(`${toJsonString(EventSchema, item.event)}\n`);
  else room.view.show(item.event);
  tellMode(chat, room.facts, modeBefore);
  room.turns.see(item.event);
  if (!room.facts.isReplaying) room.agents?.see(item.event);
  if (item.event.payload.case === "turnEnded") chat.hasInterrupted = false;
  chat.refresh();
}
