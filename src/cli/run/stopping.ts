import { type Client, type Turn } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { failureOf } from "../failure.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** How a run is ended from outside: the first Ctrl-C or SIGTERM cancels its turn, the second leaves at once. */
export interface Stopping {
  /** Aborted where it is left before its end. */
  readonly signal: AbortSignal;
  /** Whether somebody wants it to end. */
  readonly isWanted: boolean;
  /** What there is to cancel from now on. */
  begun(turn: Turn): void;
  /** As a signal would. */
  want(): void;
  /** Somebody else hears the signals, until `listen`. */
  ignore(): void;
  listen(): void;
}

export function createStopping({ note, commandLine }: Context, client: Client): Stopping {
  const leaving = new AbortController();
  let isWanted = false;
  let turn: Turn | undefined;

  function leave(): void {
    if (turn !== undefined)
      note(`left; the turn may still run: \`${commandLine(`watch ${turn.sessionId}`)}\` shows what becomes of it`);
    leaving.abort();
  }
  function want(): void {
    if (isWanted || turn === undefined) return leave();
    isWanted = true;
    note("stopping the turn; once more leaves at once");
    // Its end comes as an event.
    client.messages.cancelTurn({ sessionId: turn.sessionId, turnId: turn.id }).catch((error: unknown) => {
      if (leaving.signal.aborted) return;
      note(`it could not be stopped: ${failureOf(error).text}`);
      leave();
    });
  }
  const self: Stopping = {
    signal: leaving.signal,
    get isWanted() {
      return isWanted;
    },
    begun: (now) => void (turn = now),
    want,
    ignore() {
      for (const name of SIGNALS) process.off(name, want);
    },
    listen() {
      self.ignore();
      for (const name of SIGNALS) process.on(name, want);
    },
  };
  self.listen();
  return self;
}
