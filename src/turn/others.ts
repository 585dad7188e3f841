import { isAsked, type ToolCall } from "./call/tool-call-store.ts";
import type { StoredTurn } from "./turn-store.ts";

/** It waits for others, or what they said has come and was not taken up. */
export function hasAskedOthers(turn: StoredTurn, calls: readonly ToolCall[]): boolean {
  return turn.isAnswered || turn.limitRequestId !== "" || calls.some(isAsked);
}
