import { auditEntry } from "../../audit/audit-entry.ts";
import type { Facts } from "../../event/facts.ts";
import type { ToolOutcome } from "../../message/message.ts";
import type { CallDecision } from "../../permission/call-decision.ts";
import type { Statement } from "../../store/database.ts";
import type { ToolCall } from "./tool-call-store.ts";

/** Where a call belongs. */
export interface CallPlace {
  readonly sessionId: string;
  readonly turnId: string;
}

type Named = Pick<ToolCall, "id" | "name" | "arguments">;

/** What the audit log says of a decision: what it was, why, by which rule, and who made it where that was a human. */
export function auditOfDecision(
  { sessionId, turnId }: CallPlace,
  { id: target, name: tool, arguments: args }: Named,
  { verdict, risk, reason, rule, decidedBy: actor }: CallDecision,
  timeMs: number,
): Statement {
  const ruleText = rule && { rule: `${rule.id}: ${rule.effect} ${rule.tool} ${rule.pattern}`.trim() };
  // What runs is with its start.
  const asked = verdict === "allow" ? {} : { arguments: JSON.stringify(args) };
  const detail = { turn_id: turnId, tool, verdict, reason, ...ruleText, risk: risk.level, ...asked };
  return auditEntry({ action: "PERMISSION_DECIDED", timeMs, actor, sessionId, target, detail });
}

/** What the audit log says of a call that begins: what runs, to the letter. */
export function auditOfStart(
  { sessionId, turnId }: CallPlace,
  { id: target, name: tool, arguments: args, isEdited }: Named & Pick<ToolCall, "isEdited">,
  timeMs: number,
): Statement {
  const edited = isEdited && { edited_by_human: true };
  const detail = { turn_id: turnId, tool, arguments: JSON.stringify(args), ...edited };
  return auditEntry({ action: "TOOL_STARTED", timeMs, actor: "", sessionId, target, detail });
}

/** What the audit log says of the end of a call that had begun; its result is in the conversation. */
export function auditOfEnd(
  { sessionId, turnId }: CallPlace,
  { id: target, name: tool }: Pick<ToolCall, "id" | "name">,
  outcome: ToolOutcome,
): Facts {
  const detail = { turn_id: turnId, tool, outcome };
  const changes = (_seq: number, timeMs: number): readonly Statement[] => [
    auditEntry({ action: "TOOL_ENDED", timeMs, actor: "", sessionId, target, detail }),
  ];
  return { events: [], changes };
}
