import type { EventLog } from "../../event/event-log.ts";
import type { ToolContext } from "../../tool/tool.ts";

/** Of what a call prints, so many characters are shown: whatever prints without end must not fill the disk. */
const MAX_SHOWN_CHARS = 1024 * 1024;

/** What a call prints, on its way into the log of its session. */
export interface CallOutput {
  readonly output: ToolContext["output"];
  /** The call is over: what it still prints is nobody's any more. */
  close(): void;
}

export function createCallOutput(
  log: Pick<EventLog, "addOutput">,
  { sessionId, turnId, callId }: { readonly sessionId: string; readonly turnId: string; readonly callId: string },
): CallOutput {
  let left = MAX_SHOWN_CHARS;
  let isOpen = true;
  return {
    async output(stream, text) {
      if (!isOpen || left === 0 || text === "") return;
      const shown = text.slice(0, left);
      left -= shown.length;
      const said = left > 0 ? shown : `${shown.replace(/[\uD800-\uDBFF]$/, "")}\n[more was printed than is shown]\n`;
      await log.addOutput(sessionId, turnId, { kind: stream, callId, text: said });
    },
    close() {
      isOpen = false;
    },
  };
}
