import {
  type Answer,
  type PermissionAnswer,
  PermissionDecision,
  PermissionScope,
  type Request,
  type RequestOption,
  RequestState,
} from "../../client/client.ts";
import { callRows, callText } from "../answering/call-lines.ts";
import type { Output } from "../output.ts";
import { ruleText, scopeWord } from "../permissions/words.ts";
import { shorten } from "../terminal/width.ts";
import { firstRowsOf } from "../terminal/wrap.ts";
import { stateName } from "./words.ts";

/** Of what a call would do, so much is shown where it is not answered. */
const MAX_CALL_ROWS = 16;
const MAX_CALL_TEXT = 100;

/** A request on one line: what is asked, or what became of it. */
export function requestLine(output: Output, request: Request | undefined): string {
  if (request === undefined) return "";
  const { id, title, state } = request;
  return `${output.foreignLine(title)}${state === RequestState.OPEN ? ` (${id})` : `: ${endText(output, request)}`}`;
}

/** What a call that waits for permission would do, some rows of it; empty for other requests. */
export function callOf(output: Output, { permission }: Request): string[] {
  if (permission === undefined) return [];
  const { tool, diff, arguments: args = {} } = permission;
  const { rows, more } = firstRowsOf(callRows(output, { tool, args, diff }, output.columns - 1), MAX_CALL_ROWS);
  return more === 0 ? [...rows] : [...rows, output.style.dim(`  … ${more} more lines`)];
}

/** How a request ended, in a conversation. Who answered is not told to themselves. */
export function answeredLine(output: Output, request: Request, isOwn: boolean): string {
  const { style, foreignLine } = output;
  const { permission, answer, options, title } = request;
  const seen = isOwn ? { ...request, answeredBy: "" } : request;
  if (permission !== undefined) {
    const isAllowed =
      answer?.content.case === "permission" && answer.content.value.decision === PermissionDecision.APPROVE;
    const args =
      (answer?.content.case === "permission" ? answer.content.value.arguments : undefined) ?? permission.arguments;
    const call = shorten(foreignLine(callText({ tool: permission.tool, args: args ?? {} })), MAX_CALL_TEXT);
    return `${isAllowed ? style.green("✓") : style.red("✗")} ${style.dim(`${endText(output, seen)} · ${call}`)}`;
  }
  if (answer === undefined) return style.dim(`✗ ${foreignLine(title)}: ${endText(output, seen)}`);
  const told = `${foreignLine(title)} → ${foreignLine(answerText(answer, options))}${byText(output, seen)}`;
  return `${style.green("✓")} ${style.dim(told)}`;
}

/** How a request ended, by whom, and with what. */
export function endText(
  output: Output,
  request: Pick<Request, "state" | "answer" | "answeredBy" | "endReason" | "options">,
): string {
  const { state, answer, endReason, options } = request;
  const by = byText(output, request);
  if (answer?.content.case === "permission") return permissionText(output, answer.content.value, by);
  const told = answer === undefined ? endReason : answerText(answer, options);
  return `${stateName(state)}${by}${told === "" ? "" : `: ${output.foreignLine(told)}`}`;
}

function byText({ foreignLine }: Output, { answeredBy }: Pick<Request, "answeredBy">): string {
  return answeredBy === "" ? "" : ` by ${foreignLine(answeredBy)}`;
}

/** `allowed once by ada`, `allowed, and from now on: allow shell git status (session)`, `denied by ada: not now` */
function permissionText(output: Output, answer: PermissionAnswer, by: string): string {
  const { decision, scope, rule, reason, arguments: edited } = answer;
  const isOnce = scope === PermissionScope.ONCE || scope === PermissionScope.UNSPECIFIED;
  const what = decision !== PermissionDecision.APPROVE ? "denied" : isOnce ? "allowed once" : "allowed";
  const change = edited === undefined ? "" : ", as edited";
  const lasting = rule === undefined ? "" : `, and from now on: ${ruleText(rule, output)} (${scopeWord(scope)})`;
  return `${what}${by}${change}${lasting}${reason === "" ? "" : `: ${output.foreignLine(reason)}`}`;
}

/** What was answered, as a human reads it. */
export function answerText({ content }: Answer, options: readonly RequestOption[]): string {
  switch (content.case) {
    case "optionId":
      return options.find(({ id }) => id === content.value)?.label ?? content.value;
    case "text":
      return content.value;
    case "form":
      return JSON.stringify(content.value);
    case "permission":
      return content.value.decision === PermissionDecision.APPROVE ? "allowed" : "denied";
    case undefined:
      return "";
  }
}
