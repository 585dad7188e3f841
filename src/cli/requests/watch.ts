import { setTimeout as pause } from "node:timers/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { type Client, EngineTopic, isTransient, type Request, RequestSchema } from "../../client/client.ts";
import { guardSilence } from "../../client/silence.ts";
import { systemClock } from "../../clock.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { tellState } from "../view/follow-state.ts";
import { onInterrupt } from "../interrupt.ts";
import { callOf, requestLine } from "./lines.ts";
import { priorityName } from "./words.ts";

/** How long until the next try where the engine is away. */
const AWAY_MS = 1000;

/** Shows what is asked and what becomes of it, until Ctrl-C; goes on over restarts of the engine. */
export async function watchRequests(context: Context): Promise<ExitCode> {
  const client = await context.client();
  const controller = new AbortController();
  const { signal } = controller;
  const off = onInterrupt(() => controller.abort());
  const shown = createShown(context, client);
  const onState = tellState(context);
  let failures = 0;
  try {
    for (;;) {
      try {
        await follow(client, shown, signal, () => {
          failures = 0;
          onState({ kind: "live" });
        });
      } catch (error) {
        // No engine at the beginning is said at once instead of being waited for.
        if (signal.aborted || !shown.hasBegun || !isTransient(error)) throw error;
        onState({ kind: "waiting", failures: ++failures, delayMs: AWAY_MS, error });
      }
      await pause(AWAY_MS, undefined, { signal });
    }
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
  }
}

/** One stream: all that is open, then what changes. */
async function follow(client: Client, shown: Shown, signal: AbortSignal, onLive: () => void): Promise<void> {
  const controller = new AbortController();
  const both = AbortSignal.any([signal, controller.signal]);
  const guard = guardSilence(systemClock, (error) => controller.abort(error));
  const topics = [EngineTopic.REQUESTS];
  const stream = client.engine.watchEngine({ topics }, { signal: both })[Symbol.asyncIterator]();
  const open = new Set<string>();
  let hasCaughtUp = false;
  try {
    for (;;) {
      const next = await guard.wait(stream.next());
      if (next.done === true) return;
      onLive();
      const { payload } = next.value;
      if (payload.case === "request") {
        open.add(payload.value.id);
        shown.show(payload.value);
      } else if (payload.case === "requestGone") await shown.showEnd(payload.value);
      else if (payload.case === "caughtUp" && !hasCaughtUp) {
        hasCaughtUp = true;
        await shown.keepOnly(open);
      }
    }
  } finally {
    guard.close();
    controller.abort();
  }
}

/** What a human has seen: over a reconnect nothing is told twice, and the end of nothing is lost. */
interface Shown {
  /** Whether an engine was there once. */
  readonly hasBegun: boolean;
  show(request: Request): void;
  showEnd(id: string): Promise<void>;
  /** What is not open any more ended while nobody looked. */
  keepOnly(open: ReadonlySet<string>): Promise<void>;
}

function createShown({ out, json }: Context, client: Client): Shown {
  const known = new Map<string, Request>();
  let hasBegun = false;

  function write(request: Request, before: string, after = ""): void {
    out.write(json ? `${toJsonString(RequestSchema, request)}\n` : `${before}${requestLine(out, request)}${after}\n`);
  }

  async function showEnd(id: string): Promise<void> {
    if (!known.delete(id)) return;
    const { request } = await client.requests.getRequest({ requestId: id });
    if (request !== undefined) write(request, "✓ ");
  }

  return {
    get hasBegun() {
      return hasBegun;
    },
    show(request) {
      hasBegun = true;
      const before = known.get(request.id);
      known.set(request.id, request);
      if (before?.claimedBy === request.claimedBy) return;
      const claim = request.claimedBy === "" ? "" : `, claimed by ${out.foreignLine(request.claimedBy)}`;
      write(request, `? ${priorityName(request.priority)}: `, claim);
      // What is claimed was shown before.
      if (!json && before === undefined) for (const row of callOf(out, request)) out.write(`${row}\n`);
    },
    showEnd,
    async keepOnly(open) {
      hasBegun = true;
      for (const id of known.keys()) if (!open.has(id)) await showEnd(id);
    },
  };
}
