import type { Database } from "../../store/database.ts";
import { listAncestors, type StoredSession } from "../../session/session-store.ts";
import type { Limits } from "../turn.ts";
import { findTurn, type Granted, type StoredTurn } from "../turn-store.ts";

/** What a turn may use, and what it and the turns of the agents that it started have used. */
export interface Budget {
  readonly turnId: string;
  readonly sessionId: string;
  /** Without what was granted. */
  readonly limits: Pick<Limits, "maxSteps" | "maxTokens">;
  readonly maxSteps: number;
  readonly steps: number;
  /** 0 = no limit. */
  readonly maxTokens: number;
  readonly tokens: number;
}

export const LIMIT_REASONS = ["STEPS_EXHAUSTED", "TOKENS_EXHAUSTED", "TIME_EXHAUSTED"] as const;
export type LimitReason = (typeof LIMIT_REASONS)[number];

/** A limit that is used up. */
export interface ReachedLimit {
  readonly reason: LimitReason;
  /** The turn whose limit it is: the one that runs, or one whose agent started it. */
  readonly turnId: string;
  readonly sessionId: string;
  readonly used: number;
  /** With what was granted. */
  readonly limit: number;
  /** Without that: as much is granted again. */
  readonly amount: number;
}

interface Used {
  readonly steps: number;
  readonly tokens: number;
}

/** Those that a turn draws on: its own first, then those of the turns above it that wait for it. */
export async function readBudgets(db: Database, session: StoredSession, turn: StoredTurn): Promise<Budget[]> {
  const budgets = [await budgetOf(db, session, turn)];
  let { parent } = session;
  for (const above of await listAncestors(db, session)) {
    const waiting = parent && (await findTurn(db, above.id, parent.turnId));
    if (waiting === undefined) break;
    budgets.push(await budgetOf(db, above, waiting));
    ({ parent } = above);
  }
  return budgets;
}

/** The working time that a turn has used up. */
export function reachedTime({ limits }: { readonly limits: Limits }, turn: StoredTurn): ReachedLimit {
  const { maxWorkingTimeMs: amount } = limits;
  const limit = amount + turn.granted.timeMs;
  return { reason: "TIME_EXHAUSTED", turnId: turn.id, sessionId: turn.sessionId, used: limit, limit, amount };
}

/** What a human lets a turn have on top, who is asked because it reached a limit. */
export function moreOf({ reason, amount }: ReachedLimit): Granted {
  return {
    steps: reason === "STEPS_EXHAUSTED" ? amount : 0,
    tokens: reason === "TOKENS_EXHAUSTED" ? amount : 0,
    timeMs: reason === "TIME_EXHAUSTED" ? amount : 0,
  };
}

/** The first limit that is used up. */
export function findReached(budgets: readonly Budget[]): ReachedLimit | undefined {
  for (const { turnId, sessionId, limits, steps, maxSteps, tokens, maxTokens } of budgets) {
    const whose = { turnId, sessionId };
    if (steps >= maxSteps) {
      return { reason: "STEPS_EXHAUSTED", ...whose, used: steps, limit: maxSteps, amount: limits.maxSteps };
    }
    if (maxTokens > 0 && tokens >= maxTokens) {
      return { reason: "TOKENS_EXHAUSTED", ...whose, used: tokens, limit: maxTokens, amount: limits.maxTokens };
    }
  }
  return undefined;
}

async function budgetOf(db: Database, { limits }: { readonly limits: Limits }, turn: StoredTurn): Promise<Budget> {
  const below = await usedBelow(db, turn);
  const { granted, usage } = turn;
  return {
    turnId: turn.id,
    sessionId: turn.sessionId,
    limits,
    maxSteps: limits.maxSteps + granted.steps,
    steps: turn.steps + below.steps,
    maxTokens: limits.maxTokens === 0 ? 0 : limits.maxTokens + granted.tokens,
    tokens: usage.inputTokens + usage.outputTokens + below.tokens,
  };
}

/** What the turns of all agents have used that a turn started, and of those that they did. */
async function usedBelow(db: Database, { id, sessionId }: StoredTurn): Promise<Used> {
  const row = await db.get<{ steps: number; tokens: number }>({
    sql: `WITH RECURSIVE tree (key, id) AS (
        SELECT key, id FROM sessions WHERE parent_session_id = ? AND parent_session_id <> '' AND parent_turn_id = ?
        UNION ALL
        SELECT s.key, s.id FROM tree JOIN sessions AS s ON s.parent_session_id = tree.id AND s.parent_session_id <> ''
      )
      SELECT ifnull(sum(t.steps), 0) AS steps,
        ifnull(sum(json_extract(t.usage, '$.inputTokens') + json_extract(t.usage, '$.outputTokens')), 0) AS tokens
      FROM tree JOIN turns AS t ON t.session_key = tree.key`,
    params: [sessionId, id],
  });
  return row ?? { steps: 0, tokens: 0 };
}
