import type { Client } from "../client/client.ts";
import type { ChatInput } from "./chat-input.ts";
import type { ChatOptions } from "./chat-open.ts";
import type { ChatTurns } from "./chat-turns.ts";
import type { Context } from "./context.ts";
import type { SessionView } from "./session-view.ts";

/** Everything that one chat holds. */
export interface Chat {
  readonly context: Context;
  readonly client: Client;
  readonly options: ChatOptions;
  readonly view: SessionView;
  readonly input: ChatInput;
  /** Aborted when the chat is left. */
  readonly leaving: AbortController;
  /** Texts that stand on the screen where they were typed, and whose events have not come yet. */
  readonly typed: string[];
  turns: ChatTurns;
  sessionId: string | undefined;
  following: Promise<void> | undefined;
  failure: Error | undefined;
  hasInterrupted: boolean;
}
