import { toJsonString } from "@bufbuild/protobuf";
import { EventSchema, followSession } from "../client/client.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { tellState } from "./follow-state.ts";
import { onInterrupt } from "./interrupt.ts";
import { createSessionView } from "./session-view.ts";

export interface WatchOptions {
  readonly afterSeq?: bigint;
}

/** Follows until Ctrl-C, or until there is nothing to follow any more. */
export async function watch(context: Context, sessionId: string, { afterSeq }: WatchOptions): Promise<ExitCode> {
  const { out, err, json } = context;
  const client = await context.client();
  // Once, so that no engine or no such session is said at once instead of being waited for.
  await client.sessions.getSession({ sessionId });

  const controller = new AbortController();
  const off = onInterrupt(() => controller.abort());
  const view = createSessionView(out);
  // On a terminal a note would stand in the middle of a line of text; a file gets the text alone, as it is.
  const onState = tellState(context, () => !json && out.isTerminal && view.page.endLine());
  try {
    for await (const item of followSession(client, { sessionId, afterSeq, signal: controller.signal, onState })) {
      if (item.kind === "reset") {
        view.reset();
        if (!json) view.page.endLine();
        context.note(`the log is another one now (${item.reason}); all of it follows`);
      } else if (item.kind === "caught_up") {
        if (err.isTerminal && out.isTerminal && item.lastSeq === 0n) context.note("nothing has been said yet; waiting");
      } else if (json) {
        out.write(`${toJsonString(EventSchema, item.event)}\n`);
      } else {
        view.show(item.event);
      }
    }
    return EXIT.interrupted;
  } finally {
    off();
    if (!json) view.page.endLine();
  }
}
