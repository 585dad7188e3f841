import { modelInForce } from "../../profile/profile.ts";
import { getSession } from "../../session/session-store.ts";
import { estimateMessage, estimateTokens, estimateTool } from "./estimate-tokens.ts";
import { buildContext, type ContextDeps, type ModelContext } from "./model-context.ts";
import { isOpen, listCalls } from "../call/tool-call-store.ts";
import { missingResultId } from "./transcript.ts";
import type { TurnDeps } from "../turn-deps.ts";
import { findTurn } from "../turn-store.ts";

export type LookDeps = ContextDeps & Pick<TurnDeps, "profiles">;

/** What would be sent, to whom, and about how much that is. */
export interface ContextLook extends ModelContext {
  readonly profile: string;
  readonly model: string;
  readonly estimatedTokens: number;
}

/**
 * What the model of a session would be sent by a call that began now: what a turn sends. What waits in the queue is no part
 * of it yet, and neither are results of calls that have not ended: the model is called when they have. Throws DomainError `SESSION_NOT_FOUND`, `PROFILE_NOT_FOUND`.
 */
export async function lookAtContext(deps: LookDeps, sessionId: string): Promise<ContextLook> {
  const session = await getSession(deps.db, sessionId);
  const { runningTurnId } = session;
  const running = runningTurnId === "" ? undefined : await findTurn(deps.db, sessionId, runningTurnId);
  const named = { profile: session.profile, model: running?.modelOverride || session.model };
  const { profile, model } = modelInForce(deps.profiles, named);
  const context = await withoutOpenCalls(deps, running?.id, await buildContext(deps, session));
  const sizes = [
    ...context.instructions.map(({ text }) => estimateTokens(text)),
    ...context.tools.map(estimateTool),
    ...context.messages.map(estimateMessage),
  ];
  return { ...context, profile: profile.name, model, estimatedTokens: sizes.reduce((sum, size) => sum + size, 0) };
}

async function withoutOpenCalls(
  { db }: Pick<LookDeps, "db">,
  runningTurnId: string | undefined,
  context: ModelContext,
): Promise<ModelContext> {
  const calls = runningTurnId === undefined ? [] : await listCalls(db, runningTurnId);
  const made = new Set(calls.filter(isOpen).map(({ id, messageId }) => missingResultId(messageId, id)));
  return made.size === 0 ? context : { ...context, messages: context.messages.filter(({ id }) => !made.has(id)) };
}
