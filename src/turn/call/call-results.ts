import type { Request } from "../../request/request.ts";
import type { CallResult } from "./call-end.ts";

/** What the model is told of a call that had started when the engine died. */
export const UNKNOWN_RESULT: CallResult = {
  outcome: "unknown",
  text: "The engine stopped while this call ran: whether it had an effect is not known. It was not run again.",
};

/** So much of the end of what a call has printed is told where its own result will never come. */
const MAX_PRINTED_CHARS = 16 * 1024;

/** A result with what the call had printed by then. */
export function withPrinted(result: CallResult, printed: string): CallResult {
  if (printed === "") return result;
  const end = printed.slice(-MAX_PRINTED_CHARS).replace(/^[\uDC00-\uDFFF]/, "");
  const what = end.length < printed.length ? `It had printed by then, at the end:` : "It had printed by then:";
  return { ...result, text: `${result.text} ${what}\n${end}` };
}

/** What the model is told of a call that nobody and nothing lets run. */
export function deniedResult(why: string): CallResult {
  return { outcome: "denied", text: `The call was denied and did not run: ${why}` };
}

/** What the model is told of a question that has ended. */
export function resultOfQuestion({ state, answer, options, endReason }: Request): CallResult {
  const said = endReason === "" ? "" : `: ${endReason}`;
  if (answer === undefined || answer.kind === "permission") {
    const why = {
      expired: "Nobody answered in time.",
      dismissed: `The human does not want to answer${said}.`,
      cancelled: `The question was taken back${said}.`,
      answered: "There is no answer.",
      open: "There is no answer.",
    }[state];
    return { outcome: "failed", text: why };
  }
  const byDefault = state === "expired" ? "Nobody answered in time; what was to count then: " : "";
  switch (answer.kind) {
    case "text":
      return { outcome: "succeeded", text: byDefault + answer.text };
    case "form":
      return { outcome: "succeeded", text: byDefault + JSON.stringify(answer.form) };
    case "option": {
      const label = options.find(({ id }) => id === answer.optionId)?.label ?? answer.optionId;
      return { outcome: "succeeded", text: byDefault + label };
    }
  }
}
