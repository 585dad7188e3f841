import { toJsonString } from "@bufbuild/protobuf";
import {
  EventSchema,
  type FollowItem,
  followSession,
  type GetSnapshotResponse,
  loadPicture,
} from "../client/client.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { UsageError } from "./failure.ts";
import { tellState } from "./view/follow-state.ts";
import { onInterrupt } from "./interrupt.ts";
import { createLiveView } from "./view/live-view.ts";
import { resolveSession } from "./session-ref.ts";
import { createSessionView, type SessionView } from "./view/session-view.ts";

export interface WatchOptions {
  readonly afterSeq?: bigint;
  /** True: answers as they are, and not as Markdown. */
  readonly plain?: boolean;
}

/** How much of a long session is shown before what happens. */
const SHOWN = 100;

/** Follows until Ctrl-C, or until there is nothing to follow any more. */
export async function watch(plainContext: Context, given: string, options: WatchOptions): Promise<ExitCode> {
  const { afterSeq, plain = false } = options;
  const { out, json } = plainContext;
  const client = await plainContext.client();
  const sessionId = await resolveSession(client, given);
  const controller = new AbortController();
  const { signal } = controller;
  const off = onInterrupt(() => controller.abort());
  const live = out.isTerminal && !json ? createLiveView(plainContext, plain) : undefined;
  const view = live?.view ?? createSessionView(out);
  // On a terminal a note has its place in what is drawn; a file gets the text alone, as it is.
  const context: Context = live === undefined ? plainContext : { ...plainContext, note: live.note };
  const onState = tellState(context, () => undefined);
  try {
    // Once, so that no engine or no such session is said at once instead of being waited for.
    const { snapshot, from } = await loadPicture(client, { sessionId, pageSize: SHOWN, signal });
    // Events are asked for by their number, and JSON is all of them.
    const isWhole = json || afterSeq !== undefined;
    if (afterSeq !== undefined && afterSeq > from.afterSeq) throw beyondEnd(afterSeq, from.afterSeq);
    if (!isWhole) showSoFar(context, view, snapshot);
    const start = isWhole ? { sessionId, afterSeq } : from;
    for await (const item of followSession(client, { ...start, signal, onState })) show(context, view, item);
    return EXIT.interrupted;
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
    if (!json) view.page.endLine();
    live?.close();
  }
}

/** What was read is of another log, or was never there: to wait for it would be to wait for ever. */
function beyondEnd(afterSeq: bigint, lastSeq: bigint): UsageError {
  return new UsageError(
    `--after-seq ${afterSeq} is beyond the end: the last event of this log is ${lastSeq}; give ${lastSeq} to see what comes, or 0 for all of it`,
  );
}

function showSoFar(context: Context, view: SessionView, snapshot: GetSnapshotResponse): void {
  const { out, err } = context;
  const { session, messages, nextPageToken, runningTurn } = snapshot;
  if (nextPageToken !== "")
    view.page.line("head", out.style.dim(`earlier messages: ${context.commandLine(`sessions show ${session?.id}`)}`));
  view.showSnapshot(snapshot);
  if (messages.length === 0 && runningTurn === undefined && err.isTerminal && out.isTerminal)
    context.note("nothing has been said yet; waiting");
}

function show(context: Context, view: SessionView, item: FollowItem): void {
  const { out, json } = context;
  if (item.kind === "reset") {
    view.reset();
    if (!json) view.page.endLine();
    context.note(`the log is another one now (${item.reason}); all of it follows`);
  } else if (item.kind === "event") {
    if (json) out.write(`${toJsonString(EventSchema, item.event)}\n`);
    else view.show(item.event);
  }
}
