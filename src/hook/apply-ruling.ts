import type { Decision } from "../permission/decision.ts";
import type { HookRuling } from "./hooks.ts";

/**
 * What becomes of a decision that hooks were asked about. A hook denies whatever it likes; it asks, also where a rule allows; and it
 * lets run what only the mode asks about: not what an ask rule does, nor what only a human may let run. What was denied before is
 * not theirs to decide.
 */
export function applyRuling(decision: Decision, ruling: HookRuling): Decision {
  if (decision.verdict === "deny") return decision;
  const { rule: _rule, ...own } = decision;
  switch (ruling.decision) {
    case "deny":
      return { ...own, verdict: "deny", reason: ruling.reason, suggestedRules: [] };
    case "ask": {
      if (decision.isUnattended === true) {
        const reason = `nobody is asked in this mode: ${ruling.reason}`;
        return { ...own, verdict: "deny", reason, suggestedRules: [] };
      }
      const reason = decision.verdict === "ask" ? `${decision.reason}; ${ruling.reason}` : ruling.reason;
      // No rule lets a call run unasked that a hook asks about.
      const kept = decision.verdict === "ask" ? decision : own;
      return { ...kept, verdict: "ask", reason, suggestedRules: [] };
    }
    case "allow":
      if (decision.verdict === "allow" || decision.rule !== undefined || decision.onlyOnce === true) return decision;
      return { ...own, verdict: "allow", reason: ruling.reason, suggestedRules: [] };
    case "none":
      return decision;
  }
}
