import type { SessionAgent } from "../agent/agent.ts";
import type { ApprovalMode } from "../permission/approval-mode.ts";
import type { Limits } from "../turn/turn.ts";
import type { Usage } from "../usage/usage.ts";
import type { WaitingOn } from "./waiting-on.ts";

export type SessionState = "idle" | "running" | "waiting";

/** What the owner of a session decides about it. */
export interface SessionSettings {
  readonly title: string;
  /** Empty = the default profile. */
  readonly profile: string;
  /** Empty = the profile's. */
  readonly model: string;
  readonly systemPrompt: string;
  /** The canonical path of a folder; empty = none. */
  readonly workspace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly starred: boolean;
  readonly resumeAfterRestart: boolean;
  readonly retryPartial: boolean;
  /** How much its agent may do without asking. */
  readonly approvalMode: ApprovalMode;
  /** What is kept of the definition it was made by; absent = none. Never changed. */
  readonly agent?: SessionAgent;
}

/** The call that started a session and waits for what it says. */
export interface ParentCall {
  readonly sessionId: string;
  readonly turnId: string;
  readonly callId: string;
}

/** A conversation with one agent. */
export interface Session extends SessionSettings {
  readonly id: string;
  readonly state: SessionState;
  /** Empty when none runs. */
  readonly runningTurnId: string;
  /** The newest turn, running or not; empty when there was none. */
  readonly lastTurnId: string;
  /** The number of its last event that is not a delta. */
  readonly lastSeq: number;
  readonly usage: Usage;
  /** Undefined = it waits for no human. */
  readonly waitingOn: WaitingOn | undefined;
  /** Absent = no agent started it. */
  readonly parent?: ParentCall;
  /** The session it was forked from; empty = none. */
  readonly forkedFrom: string;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
}
