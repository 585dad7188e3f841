import { type Event, type Session, type ToolResult, type TurnEnded, TurnEndReason } from "../../client/client.ts";
import { callLines, type ShownCall } from "./call-view.ts";
import { formatCount } from "./format.ts";
import type { Output } from "../output.ts";
import type { Page } from "./page.ts";
import { turnEndText } from "./session-lines.ts";
import { shorten, widthOf } from "../terminal/width.ts";

/** So many calls of an agent are shown; the rest are counted, as what it comes to is the result of its own call. */
const MAX_CALLS = 12;

/** What an agent does, in the conversation of the one that started it: a line for each call, marked with its name. */
export interface AgentView {
  show(event: Event): void;
}

export interface AgentViewOptions {
  readonly page: Page;
  readonly session: Session;
  /** How many agents stand between it and the conversation. */
  readonly depth: number;
}

export function createAgentView(output: Output, { page, session, depth }: AgentViewOptions): AgentView {
  const { style, foreignLine } = output;
  const name = shorten(foreignLine(session.agent), 24);
  const indent = "  ".repeat(depth);
  const prefix = `${indent}  ${name} `;
  const calls = new Map<string, ShownCall>();
  let ended = 0;

  const line = (text: string): void => page.line("agent", shorten(`${indent}${text}`, output.columns - 1));
  function showResult(result: ToolResult): void {
    ended++;
    const columns = Math.max(20, output.columns - widthOf(prefix));
    const [head = ""] = callLines({ ...output, columns }, calls.get(result.callId), result);
    calls.delete(result.callId);
    if (ended <= MAX_CALLS) page.line("agent", `${indent}  ${style.cyan(name)} ${head}`);
    page.wait(`${name} works`);
  }
  function showEnd(end: TurnEnded): void {
    const text = turnEndText(output, end);
    const isDone = end.reason === TurnEndReason.COMPLETED;
    const hidden = ended - MAX_CALLS;
    const count = hidden > 0 ? ` (${formatCount(ended, "call")}, ${hidden} not shown)` : "";
    page.line(
      "agent",
      `${indent}${isDone ? "▹" : style.red("✗")} ${style.cyan(name)} ${style.dim(`${text ?? "is done"}${count}`)}`,
    );
  }

  return {
    show(event) {
      const { payload } = event;
      if (payload.case === "turnStarted") {
        line(`▸ ${name} begins: ${foreignLine(session.title)}`);
        page.wait(`${name} works`);
      } else if (payload.case === "toolCallRequested" || payload.case === "toolCallStarted") {
        const { callId, name: tool, arguments: args } = payload.value;
        calls.set(callId, { name: tool, args: JSON.stringify(args ?? {}) });
      } else if (payload.case === "toolCallEnded") {
        if (payload.value.result !== undefined) showResult(payload.value.result);
      } else if (payload.case === "turnEnded") showEnd(payload.value);
    },
  };
}
