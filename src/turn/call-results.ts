import type { CallResult } from "./tool-step.ts";

/** What the model is told of a call that had started when the engine died. */
export const UNKNOWN_RESULT: CallResult = {
  outcome: "unknown",
  text: "The engine stopped while this call ran: whether it had an effect is not known. It was not run again.",
};

/** What the model is told of a call that nobody and nothing lets run. */
export function deniedResult(why: string): CallResult {
  return { outcome: "denied", text: `The call was denied and did not run: ${why}` };
}
