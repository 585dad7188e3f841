import type { Scrub } from "../audit/scrub.ts";
import type { Clock } from "../clock.ts";
import { markOf } from "../tool/process/processes.ts";
import { askCommand, tellCommand } from "./call-command.ts";
import { callUrl } from "./call-url.ts";
import { HOOK_DECISIONS, type HookAnswer, type HookDecision, parseAnswer, toReason } from "./hook-answer.ts";
import { type Hook, type HookCall, HookFailed, type HookTime, isFor } from "./hook.ts";
import { createSlots } from "./slots.ts";

/** A call on which all but the hooks have spoken. */
export interface AskedCall extends HookCall {
  readonly verdict: "allow" | "ask";
  readonly reason: string;
}

/** What a call came to. */
export interface ToldCall extends HookCall {
  readonly outcome: string;
  readonly durationMs: number;
  /** What the model was told. */
  readonly result: string;
}

/** What the hooks say together: the strictest of their answers. */
export interface HookRuling {
  readonly decision: HookDecision;
  /** In words, with the hook's name. */
  readonly reason: string;
  readonly hook: string;
}

export interface Hooks {
  /** Those that are called for a tool in a canonical workspace (empty = none), in the order in which they are named. */
  list(time: HookTime, place: Pick<HookCall, "tool" | "workspace">): Promise<readonly Hook[]>;
  /** Asks all of them at once. Undefined where there are none. Rejects with the signal's reason alone: a hook that fails asks. */
  ask(call: AskedCall, signal: AbortSignal): Promise<HookRuling | undefined>;
  /** Tells all of them, in the background. */
  tell(call: ToldCall): void;
  /** Ends those that still run. */
  close(): Promise<void>;
}

/** A hook that did not answer as hooks do. */
export interface HookFailure {
  readonly hook: Hook;
  readonly call: HookCall;
  readonly problem: string;
}

export interface HooksDeps {
  readonly engineHooks: readonly Hook[];
  readonly workspaceHooks: (workspace: string) => Promise<readonly Hook[]>;
  readonly clock: Clock;
  /** Takes what hooks are given to keep to themselves out of what they say. */
  readonly scrub: Scrub;
  /** Names the engine in the marks of its processes. */
  readonly owner: string;
  readonly onFailure: (failure: HookFailure) => void;
  readonly onBug: (what: string, error: unknown) => void;
}

/** Each may be a process: more at once would make all of them late. */
const MAX_ASKED = 8;
const MAX_TOLD = 4;

/** Who is told too slowly is not told of everything; nobody waits for it, and memory has its bounds. */
const MAX_WAITING = 1000;

export function createHooks(deps: HooksDeps): Hooks {
  const { clock, owner, onFailure } = deps;
  const [asking, telling] = [createSlots(MAX_ASKED), createSlots(MAX_TOLD)];
  const closing = new AbortController();
  const told = new Set<Promise<void>>();
  let calls = 0;

  async function list(time: HookTime, { tool, workspace }: Pick<HookCall, "tool" | "workspace">) {
    const all = [...deps.engineHooks, ...(await deps.workspaceHooks(workspace))];
    return all.filter((hook) => hook.time === time && isFor(hook, tool));
  }

  /** Calls one hook within its time. Throws `HookFailed`, and the signal's reason. */
  async function within<T>({ timeoutMs }: Hook, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
    const late = new AbortController();
    const tooLate = new HookFailed(`it did not answer within ${timeoutMs / 1000} s`);
    const cancelTimer = clock.after(timeoutMs, () => late.abort(tooLate));
    try {
      return await work(AbortSignal.any([signal, late.signal]));
    } finally {
      cancelTimer();
    }
  }

  const markOfCall = (callId: string): string => markOf(owner, `hook-${++calls}-${callId}`);

  async function askOne(hook: Hook, call: AskedCall, signal: AbortSignal): Promise<HookAnswer> {
    const { target } = hook;
    const input = describe("before", call, { verdict: call.verdict, reason: call.reason });
    return within(hook, signal, async (limited) => {
      switch (target.kind) {
        case "command":
          return askCommand({ target, input, mark: markOfCall(call.callId), signal: limited });
        case "url":
          return parseAnswer(await callUrl(target, input, limited));
        case "broken":
          throw new HookFailed(target.problem);
      }
    });
  }

  /** A hook that fails asks: nothing runs unasked because somebody could not be asked. */
  async function rule(hook: Hook, call: AskedCall, signal: AbortSignal): Promise<HookRuling> {
    const { name } = hook;
    try {
      const { decision, reason: said } = await asking.run(() => askOne(hook, call, signal), signal);
      const reason = toReason(deps.scrub(said));
      const isIgnored = hook.source === "workspace" && decision === "allow";
      return { decision: isIgnored ? "none" : decision, reason: wordsOf(name, decision, reason), hook: name };
    } catch (error) {
      signal.throwIfAborted();
      const problem = problemOf(error);
      onFailure({ hook, call, problem });
      return { decision: "ask", reason: `the hook ${name} could not be asked: ${problem}`, hook: name };
    }
  }

  async function tellOne(hook: Hook, call: ToldCall, signal: AbortSignal): Promise<void> {
    const { target } = hook;
    const { outcome, durationMs, result } = call;
    const input = describe("after", call, { outcome, duration_ms: durationMs, ...(hook.wantsResult && { result }) });
    await within(hook, signal, async (limited) => {
      switch (target.kind) {
        case "command":
          return tellCommand({ target, input, mark: markOfCall(call.callId), signal: limited });
        case "url":
          return void (await callUrl(target, input, limited));
        case "broken":
          throw new HookFailed(target.problem);
      }
    });
  }

  async function tellAll(call: ToldCall): Promise<void> {
    const { signal } = closing;
    const tellSafely = async (hook: Hook): Promise<void> => {
      try {
        if (telling.waiting() >= MAX_WAITING) throw new HookFailed(`${MAX_WAITING} calls wait to be told already`);
        await telling.run(() => tellOne(hook, call, signal), signal);
      } catch (error) {
        if (!signal.aborted) onFailure({ hook, call, problem: problemOf(error) });
      }
    };
    await Promise.all((await list("after", call)).map(tellSafely));
  }

  return {
    list,
    async ask(call, signal) {
      const hooks = await list("before", call);
      if (hooks.length === 0) return undefined;
      const either = AbortSignal.any([signal, closing.signal]);
      return strictest(await Promise.all(hooks.map((hook) => rule(hook, call, either))));
    },
    tell(call) {
      if (closing.signal.aborted) return;
      const telling = tellAll(call)
        .catch((error: unknown) => deps.onBug("telling hooks", error))
        .finally(() => told.delete(telling));
      told.add(telling);
    },
    async close() {
      closing.abort(new Error("the engine is stopping"));
      await Promise.all(told);
    },
  };

  /** What was not foreseen is told of, and is a failure like any other. */
  function problemOf(error: unknown): string {
    if (error instanceof HookFailed) return error.message;
    deps.onBug("calling a hook", error);
    return "internal error; see the engine's log";
  }
}

/** The first of the strictest. */
function strictest(rulings: readonly HookRuling[]): HookRuling | undefined {
  return HOOK_DECISIONS.map((decision) => rulings.find((ruling) => ruling.decision === decision)).find(Boolean);
}

function wordsOf(name: string, decision: HookDecision, reason: string): string {
  const words = { deny: "denies it", ask: "wants it asked about", allow: "allows it", none: "has no opinion" }[
    decision
  ];
  return `the hook ${name} ${words}${reason === "" ? "" : `: ${reason}`}`;
}

/** The document that a hook gets: one line of JSON. */
function describe(time: HookTime, call: HookCall, more: object): string {
  const { sessionId, turnId, callId, workspace, tool, risk } = call;
  const document = {
    hook: time,
    session_id: sessionId,
    turn_id: turnId,
    call_id: callId,
    workspace,
    tool,
    arguments: call.arguments,
    risk: risk.level,
    risk_reason: risk.reason,
    ...more,
  };
  return `${JSON.stringify(document)}\n`;
}
