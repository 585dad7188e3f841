import { getSession } from "../../session/session-store.ts";
import { askPermission } from "./ask-permission.ts";
import { askQuestion } from "./ask-question.ts";
import { beginCall } from "./begin-call.ts";
import { auditOfDecision } from "./call-audit.ts";
import { judgeCall, type Fate } from "./judge-call.ts";
import { isReady } from "../next-step.ts";
import { listCalls, setCallDecision, type ToolCall } from "./tool-call-store.ts";
import { startAgent } from "../agents/start-agent.ts";
import { toolCallEnded } from "./call-end.ts";
import type { CallScope } from "./run-call.ts";
import { untilAborted } from "./until-aborted.ts";
import type { Wakeup } from "../wakeup.ts";

/**
 * Takes the calls of one answer on, side by side: each is decided on by itself, and runs, waits for a human, or is over. One
 * that is approved meanwhile begins at once. Returns when none of them runs any more; rejects when the turn is stopped.
 */
export async function takeCalls(scope: CallScope, calls: readonly ToolCall[], wakeup: Wakeup): Promise<void> {
  const { deps, turn, signal } = scope;
  const taken = new Set<string>();
  const work: Promise<void>[] = [];
  for (let ready = calls; ;) {
    for (const call of ready) {
      // A call is taken on twice: when it was asked for, and when a human let it run.
      const name = `${call.state} ${call.id}`;
      if (taken.has(name)) continue;
      taken.add(name);
      work.push(takeCall(scope, call));
    }
    // All of them, whatever becomes of one: who ends the turn next must find every end that is on its way in the store.
    const outcomes = await Promise.race([Promise.allSettled(work), wakeup.rung()]);
    if (outcomes !== undefined) {
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      return;
    }
    wakeup.take();
    ready = signal.aborted ? [] : (await listCalls(deps.db, turn.id)).filter(isReady);
  }
}

async function takeCall(scope: CallScope, call: ToolCall): Promise<void> {
  const { deps, turn, signal } = scope;
  // As it is now: mode and rules may have changed since the step began.
  const session = await getSession(deps.db, scope.session.id);
  const here = { ...scope, session };
  const fate = await untilAborted(judgeCall(here, call), signal, deps.clock, 0);
  switch (fate.kind) {
    case "run":
      return beginCall(here, call, fate.free);
    case "wait":
      return waitForOthers(here, call, fate);
    case "ask":
      return askPermission(here, call, fate.decision, fate.diff);
    case "end": {
      const ended = toolCallEnded(deps, session, turn.id, call.id, fate.result);
      const { decision } = fate;
      const place = { sessionId: session.id, turnId: turn.id };
      await deps.log.append(session.id, {
        ...ended,
        changes: (firstSeq, nowMs) => [
          ...(decision === undefined
            ? []
            : [setCallDecision(call.id, decision), auditOfDecision(place, call, decision, nowMs)]),
          ...ended.changes(firstSeq, nowMs),
        ],
      });
    }
  }
}

async function waitForOthers(
  scope: CallScope,
  call: ToolCall,
  { waitFor, decision }: Extract<Fate, { kind: "wait" }>,
): Promise<void> {
  switch (waitFor.kind) {
    case "human":
      return askQuestion(scope, call, waitFor.question, decision);
    case "agent":
      return startAgent(scope, call, waitFor, decision);
  }
}
