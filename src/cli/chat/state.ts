import type { ApprovalMode, Client, Session } from "../../client/client.ts";
import type { Agents } from "./agents.ts";
import type { ChatTurns } from "./turns.ts";
import type { AttachedFile } from "../attach-file.ts";
import type { Desk } from "../answering/desk.ts";
import type { Context } from "../context.ts";
import type { Page } from "../view/page.ts";
import type { ModeWord } from "../permissions/names.ts";
import type { SessionFacts } from "../view/session-facts.ts";
import type { ChangedTurn } from "../sessions/changed-turns.ts";
import type { SessionView } from "../view/session-view.ts";

export interface ChatOptions {
  readonly session?: string;
  readonly continue?: boolean;
  readonly profile?: string;
  /** The definition that a new session is made by. */
  readonly agent?: string;
  readonly model?: string;
  /** How much new sessions may do without asking. */
  readonly mode?: ModeWord;
  /** The folder that new sessions may touch. */
  readonly workspace?: string;
  /** True: answers as they are, and not as Markdown. */
  readonly plain?: boolean;
}

/** What the next new session gets; empty = as the engine has it. */
export interface NextSession {
  readonly profile: string;
  readonly agent: string;
  readonly model: string;
  readonly workspace: string;
  readonly approvalMode: ApprovalMode;
}

/** The session that a chat is in. */
export interface Room {
  readonly sessionId: string;
  readonly view: SessionView;
  readonly facts: SessionFacts;
  readonly turns: ChatTurns;
  /** What agents do that its turns start; absent = nobody looks on. */
  readonly agents?: Agents;
  /** Aborted when the room is left. */
  readonly leaving: AbortController;
  following: Promise<void>;
}

/** Everything that one chat holds. */
export interface Chat {
  readonly context: Context;
  readonly client: Client;
  readonly options: ChatOptions;
  readonly page: Page;
  /** Aborted when the chat is left. */
  readonly leaving: AbortController;
  /** True: a human types. False: lines come from a pipe, and each is done before the next is read. */
  readonly isInteractive: boolean;
  /** Where what waits for the human comes up; undefined = nobody sits there. */
  readonly desk: Desk | undefined;
  /** Undefined = a session is made with the first thing that is said, so that looking in leaves nothing behind. */
  room: Room | undefined;
  /** What the next new session gets. */
  next: NextSession;
  /** Sessions that a human was shown last, by number. */
  sessions: readonly Session[];
  isEngineAway: boolean;
  hasInterrupted: boolean;
  failure: Error | undefined;
  /** The turns that /revert showed last, by number; absent = none were. */
  changedTurns?: { readonly sessionId: string; readonly turns: readonly ChangedTurn[] } | undefined;
  /** What goes with what is said next; absent = nothing. */
  attached?: readonly AttachedFile[];
  /** Puts a text where a human types, to be changed and sent. */
  suggest(text: string): void;
  /** Something changed that is shown beside the text. */
  refresh(): void;
  /** Ends the reading of lines. */
  stop(): void;
}
