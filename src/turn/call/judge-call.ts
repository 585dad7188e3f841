import { toolsOf } from "../../agent/agent.ts";
import { DomainError } from "../../errors.ts";
import type { CallDecision } from "../../permission/call-decision.ts";
import { hashOfCall } from "../../permission/call-hash.ts";
import { decide, type Decision } from "../../permission/decision.ts";
import { mayRead, READER } from "../../permission/may-read.ts";
import { applyRuling } from "../../hook/apply-ruling.ts";
import { findObjection } from "../../permission/objection.ts";
import type { StoredSession } from "../../session/session-store.ts";
import type { OfferedTool, WaitFor } from "../../tool/tool.ts";
import type { FreeCall } from "./begin-call.ts";
import { deniedResult } from "./call-results.ts";
import { isStale, STALE_TEXT } from "./stale-approval.ts";
import { setCallAllowed, setCallStarted, type ToolCall } from "./tool-call-store.ts";
import type { CallResult } from "./call-end.ts";
import type { CallScope } from "./run-call.ts";
import type { TurnDeps } from "../turn-deps.ts";

const FAILS_NOW = "as its files are now it cannot be done, so it can only be changed or denied";

/** What becomes of a call: it runs, a human is asked, or it is over before it began. */
export type Fate =
  | { readonly kind: "run"; readonly free: FreeCall }
  /** Others do it. */
  | { readonly kind: "wait"; readonly waitFor: WaitFor; readonly decision: CallDecision | undefined }
  | { readonly kind: "ask"; readonly decision: Decision; readonly diff: string }
  | { readonly kind: "end"; readonly result: CallResult; readonly decision?: CallDecision };

/** Decides what becomes of a call. What is wrong with its arguments is for the model to put right: nobody is asked about it. */
export async function judgeCall(scope: CallScope, call: ToolCall): Promise<Fate> {
  const { deps, session } = scope;
  const tool = toolsOf(deps.tools, session).find(({ name }) => name === call.name);
  if (tool === undefined) return failed(`There is no tool named ${call.name}.`);
  if (call.invalidArguments !== "") return failed("The arguments were not a JSON object; the tool was not run.");
  try {
    return call.state === "approved"
      ? await judgeApproved(deps, session, call, tool)
      : await judgeNew(scope, call, tool);
  } catch (error) {
    if (error instanceof DomainError && error.reason === "INVALID_TOOL_ARGUMENTS")
      return failed(messageOf(error.cause));
    throw error;
  }
}

/** By the rules, the mode and the hooks that are in force now. */
async function judgeNew(scope: CallScope, call: ToolCall, tool: OfferedTool): Promise<Fate> {
  const { deps, session } = scope;
  const decision = await askHooks(scope, call, await decide(deps, session, call.name, call.arguments));
  if (decision.verdict === "ask") {
    const diff = await previewOf(tool, session, call);
    if (!(diff instanceof Error)) return { kind: "ask", decision, diff };
    if (await mayHear(deps, session, decision)) return failed(diff.message);
    return { kind: "ask", decision: { ...decision, reason: `${decision.reason}; ${FAILS_NOW}` }, diff: "" };
  }
  const decided = { ...toCallDecision(decision), decideTimeMs: deps.clock.now() };
  if (decision.verdict === "allow") return goingOn(call, tool, decided, () => setCallAllowed(call, decided));
  return { kind: "end", result: deniedResult(decision.reason), decision: decided };
}

/** Why something cannot be done can tell what is in a file: so only who may read it hears that before a human was asked. */
async function mayHear(deps: TurnDeps, session: StoredSession, decision: Decision): Promise<boolean> {
  const { workspace } = session;
  const hooks = await deps.hooks.list("before", { tool: READER, workspace });
  return hooks.length === 0 && (await mayRead(deps, session, decision));
}

/** What was denied is not theirs to decide. */
async function askHooks({ deps, session, turn, signal }: CallScope, call: ToolCall, decision: Decision) {
  const { verdict, reason, risk } = decision;
  if (verdict === "deny") return decision;
  const { id: callId, name: tool, arguments: args } = call;
  const place = { sessionId: session.id, turnId: turn.id, callId, workspace: session.workspace };
  const ruling = await deps.hooks.ask({ ...place, tool, arguments: args, risk, verdict, reason }, signal);
  return ruling === undefined ? decision : applyRuling(decision, ruling);
}

/** A human let it run, maybe long ago. */
async function judgeApproved(deps: TurnDeps, session: StoredSession, call: ToolCall, tool: OfferedTool): Promise<Fate> {
  const isSame = hashOfCall(call) === call.hash;
  const objection = isSame
    ? await findObjection(deps, session, call.name, call.arguments)
    : "it is not what was approved any more";
  const { decision } = call;
  if (objection === undefined) {
    const diff = await previewOf(tool, session, call);
    if (diff instanceof Error) return failed(diff.message);
    if (await isStale(deps.db, call, diff)) return failed(STALE_TEXT);
    return goingOn(call, tool, decision, () => setCallStarted(call));
  }
  return {
    kind: "end",
    result: deniedResult(objection),
    ...(decision !== undefined && { decision: { ...decision, verdict: "deny", reason: objection } }),
  };
}

/** Nothing speaks against it: the tool does it, or has it done. */
function goingOn(
  call: ToolCall,
  tool: OfferedTool,
  decision: CallDecision | undefined,
  start: () => FreeCall["start"],
): Fate {
  if (tool.run !== undefined) return { kind: "run", free: { tool, decision, start: start() } };
  return { kind: "wait", waitFor: tool.waitFor(call.arguments), decision };
}

/** What would change; an error where the tool says that it cannot be done. */
async function previewOf(tool: OfferedTool, { id: sessionId, workspace }: StoredSession, call: ToolCall) {
  try {
    return (await tool.preview?.(call.arguments, { sessionId, workspace })) ?? "";
  } catch (error) {
    return new Error(messageOf(error));
  }
}

export function toCallDecision({ verdict, risk, reason, rule }: Decision): CallDecision {
  return { verdict, risk, reason, ...(rule !== undefined && { rule }), decidedBy: "" };
}

function failed(text: string): Fate {
  return { kind: "end", result: { outcome: "failed", text } };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
