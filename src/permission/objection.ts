import type { JsonObject } from "../message/message.ts";
import type { StoredSession } from "../session/session-store.ts";
import { decide, type DecisionDeps } from "./decision.ts";

/**
 * Why a call may not run although a human lets it: a deny rule or a protected path, which no human's answer outweighs.
 * Undefined where it may. Throws as `decide` does.
 */
export async function findObjection(
  deps: DecisionDeps,
  session: StoredSession,
  toolName: string,
  args: JsonObject,
): Promise<string | undefined> {
  // What speaks against a call in this mode is all that does so in every one.
  const { verdict, reason } = await decide(deps, { ...session, approvalMode: "trust_all" }, toolName, args);
  return verdict === "deny" ? reason : undefined;
}
