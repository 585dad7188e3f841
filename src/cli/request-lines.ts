import type { Answer, Request, RequestOption } from "../client/client.ts";
import { RequestState } from "../client/client.ts";
import type { Output } from "./output.ts";

/** A request on one line: what is asked, or what became of it. */
export function requestLine(output: Output, request: Request | undefined): string {
  if (request === undefined) return "";
  const { id, title, state, answer, answeredBy, endReason } = request;
  const asked = output.foreignLine(title);
  if (state === RequestState.OPEN) return `${asked} (${id})`;
  const by = answeredBy === "" ? "" : ` by ${output.foreignLine(answeredBy)}`;
  const told = answer === undefined ? endReason : answerText(answer, request.options);
  return `${asked}: ${stateName(state)}${by}${told === "" ? "" : `: ${output.foreignLine(told)}`}`;
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
    case undefined:
      return "";
  }
}

const STATE_NAMES: ReadonlyMap<RequestState, string> = new Map([
  [RequestState.OPEN, "open"],
  [RequestState.ANSWERED, "answered"],
  [RequestState.DISMISSED, "dismissed"],
  [RequestState.CANCELLED, "cancelled"],
  [RequestState.EXPIRED, "expired"],
]);

/** A newer engine may have states that are not known here. */
export function stateName(state: RequestState): string {
  return STATE_NAMES.get(state) ?? String(state);
}
