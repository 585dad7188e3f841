import { childSettings } from "../../agent/child-session.ts";
import { agentNotFound, mayStart } from "../../agent/agent.ts";
import { DomainError } from "../../errors.ts";
import type { CallDecision } from "../../permission/call-decision.ts";
import type { SessionSettings } from "../../session/session.ts";
import { insertSession, listAncestors, type StoredSession } from "../../session/session-store.ts";
import { MAX_LEVELS } from "../../session/waiting-on.ts";
import { ClaimLost } from "../../store/database.ts";
import type { WaitFor } from "../../tool/tool.ts";
import { beginAgentTurn } from "./begin-agent-turn.ts";
import { auditOfDecision, auditOfStart } from "../call/call-audit.ts";
import { setCallDelegated, type ToolCall } from "../call/tool-call-store.ts";
import { toolCallEnded } from "../call/call-end.ts";
import type { CallScope } from "../call/run-call.ts";

/** As many agents may work below one session that a human talks to. */
const MAX_AT_ONCE = 8;

type Task = Extract<WaitFor, { kind: "agent" }>;

/**
 * Has an agent do a task in a session of its own. That the call waits and what it waits for are stored in one step; then the
 * agent's turn begins. What stands against it is told to the model.
 */
export async function startAgent(
  scope: CallScope,
  call: ToolCall,
  task: Task,
  decision: CallDecision | undefined,
): Promise<void> {
  const { deps, session, turn } = scope;
  const made = await makeChild(scope, task);
  const problem = typeof made === "string" ? made : await storeChild(scope, call, made, decision);
  if (typeof made !== "string" && problem === undefined) {
    return beginAgentTurn(deps, made.id, { text: task.task, actor: turn.actor }, scope.runNew);
  }
  const result = { outcome: "failed", text: problem ?? "" } as const;
  await deps.log.append(session.id, toolCallEnded(deps, session, turn.id, call.id, result));
}

interface Child {
  readonly id: string;
  readonly settings: SessionSettings;
}

/** Undefined: it is stored, and the call waits for it. Else why not. */
async function storeChild(
  { deps, session, turn }: CallScope,
  call: ToolCall,
  { id, settings }: Child,
  decision: CallDecision | undefined,
): Promise<string | undefined> {
  const { rootSessionId } = session;
  const place = { sessionId: session.id, turnId: turn.id };
  try {
    await deps.log.append(session.id, {
      turnId: turn.id,
      events: [{ kind: "tool_call_started", callId: call.id, name: call.name, arguments: call.arguments }],
      changes: (_seq, nowMs) => [
        setCallDelegated(call, decision, { rootSessionId, maxAtOnce: MAX_AT_ONCE }),
        ...insertSession(id, settings, nowMs, { parent: { ...place, callId: call.id, rootSessionId } }),
        ...(call.state === "approved" || decision === undefined ? [] : [auditOfDecision(place, call, decision, nowMs)]),
        auditOfStart(place, call, nowMs),
      ],
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof ClaimLost && error.claim === "agents")) throw error;
    return `${MAX_AT_ONCE} agents are at work, which is as many as may be; call again when one is done.`;
  }
}

/** What a new session is to be, or why there is none. */
async function makeChild({ deps, session }: CallScope, { agent, task }: Task): Promise<Child | string> {
  const above = await listAncestors(deps.db, session);
  if (above.length >= MAX_LEVELS - 1) {
    return `Agents start one another at most ${MAX_LEVELS - 1} levels deep; do it yourself.`;
  }
  try {
    const definition = await definitionFor(deps.agents, session, agent);
    return { id: deps.newId("ses"), settings: childSettings(deps.profiles, session, definition, task) };
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
}

async function definitionFor(agents: CallScope["deps"]["agents"], session: StoredSession, name: string) {
  if (!mayStart(session, name)) throw agentNotFound(name, "this agent may not start it");
  return agents.get(name, session.workspace);
}
