import {
  type Answer,
  PermissionDecision,
  type Request,
  type RequestOption,
  RequestState,
} from "../../client/client.ts";
import type { Output } from "../output.ts";
import { stateName } from "./words.ts";

/** A request on one line: what is asked, or what became of it. */
export function requestLine(output: Output, request: Request | undefined): string {
  if (request === undefined) return "";
  const { id, title, state } = request;
  return `${output.foreignLine(title)}${state === RequestState.OPEN ? ` (${id})` : `: ${endText(output, request)}`}`;
}

/** How a request ended, by whom, and with what. */
export function endText(output: Output, { state, answer, answeredBy, endReason, options }: Request): string {
  const by = answeredBy === "" ? "" : ` by ${output.foreignLine(answeredBy)}`;
  const told = answer === undefined ? endReason : answerText(answer, options);
  return `${stateName(state)}${by}${told === "" ? "" : `: ${output.foreignLine(told)}`}`;
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
    case "permission": {
      const { decision, reason } = content.value;
      const word = decision === PermissionDecision.APPROVE ? "approved" : "denied";
      return reason === "" ? word : `${word}: ${reason}`;
    }
    case undefined:
      return "";
  }
}
