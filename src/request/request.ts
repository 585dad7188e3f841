import { DomainError } from "../errors.ts";
import type { JsonObject } from "../message/message.ts";
import type { Permission, PermissionAnswer } from "../permission/permission.ts";

/** Everything that waits for a human has one. */
export type RequestKind = "question" | "permission" | "limit";

export type RequestState = "open" | "answered" | "dismissed" | "cancelled" | "expired";

/** How a request ends. */
export type RequestEnd = Exclude<RequestState, "open">;

export type Priority = "low" | "normal" | "high" | "urgent";

/** An answer to choose. */
export interface RequestOption {
  readonly id: string;
  readonly label: string;
  readonly description: string;
}

export type Answer =
  | { readonly kind: "option"; readonly optionId: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "form"; readonly form: JsonObject }
  | PermissionAnswer;

/** What anybody may answer a question with. */
export type GivenAnswer = Exclude<Answer, PermissionAnswer>;

/** What is asked. */
export interface Question {
  /** Empty = of no session. */
  readonly sessionId: string;
  readonly kind: RequestKind;
  readonly title: string;
  /** Markdown. */
  readonly body: string;
  readonly context: JsonObject | undefined;
  readonly options: readonly RequestOption[];
  /** JSON Schema of an object. */
  readonly form: JsonObject | undefined;
  readonly priority: Priority;
  readonly tags: readonly string[];
  /** By the clock on the wall; undefined = never. */
  readonly deadlineMs: number | undefined;
  /** What it is answered with at its deadline. */
  readonly defaultAnswer: GivenAnswer | undefined;
}

/** What of a turn waits for a request. */
export interface Waiter {
  /** Empty = no turn does. */
  readonly turnId: string;
  /** Empty = no call does. */
  readonly callId: string;
}

export const NO_WAITER: Waiter = { turnId: "", callId: "" };

/** One thing that waits for a human, or did. */
export interface Request extends Question, Waiter {
  readonly id: string;
  /** The session at the root of the asking one; absent = that one itself. */
  readonly rootSessionId?: string;
  /** Of kind permission: what is to be permitted; else undefined. */
  readonly permission: Permission | undefined;
  readonly state: RequestState;
  readonly answer: Answer | undefined;
  /** The name of the token that ended it; empty = nobody has, or the engine. */
  readonly answeredBy: string;
  /** The name of the token that means to answer; empty = nobody. */
  readonly claimedBy: string;
  readonly createdBy: string;
  readonly createTimeMs: number;
  readonly endTimeMs: number | undefined;
  /** Why it was dismissed or cancelled. */
  readonly endReason: string;
}

/** How many may be open: of one session, and of all together. More would be read by nobody. */
export const MAX_OPEN = { session: 100, engine: 10_000 } as const;

export function requestNotFound(requestId: string): DomainError {
  return new DomainError("not_found", "REQUEST_NOT_FOUND", `there is no request ${requestId}`, {
    request_id: requestId,
  });
}

/** Tells who comes late how the request ended, and by whom. */
export function alreadyResolved({ id, state, answeredBy }: Request): DomainError {
  const by = answeredBy === "" ? "" : ` by ${answeredBy}`;
  return new DomainError("precondition", "ALREADY_RESOLVED", `request ${id} was ${state}${by} already`, {
    request_id: id,
    state: state.toUpperCase(),
    answered_by: answeredBy,
  });
}

export function alreadyClaimed({ id, claimedBy }: Request): DomainError {
  return new DomainError(
    "precondition",
    "ALREADY_CLAIMED",
    `request ${id} is claimed by ${claimedBy}; set take_over to claim it all the same`,
    { request_id: id, claimed_by: claimedBy },
  );
}

export function tooManyRequests(where: "session" | "engine"): DomainError {
  return new DomainError(
    "exhausted",
    "TOO_MANY_REQUESTS",
    `the ${where} has ${MAX_OPEN[where]} open requests, which is as many as it may have; wait until some are answered, or cancel some`,
    { limit: String(MAX_OPEN[where]) },
  );
}

export function useResolvePermission(requestId: string): DomainError {
  return new DomainError(
    "invalid",
    "USE_RESOLVE_PERMISSION",
    `request ${requestId} asks for leave to run a tool call; answer it with PermissionService.ResolvePermission`,
    { request_id: requestId },
  );
}
