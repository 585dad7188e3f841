import type { Client, Event } from "../../client/client.ts";
import type { Answer } from "../answer.ts";
import type { Desk } from "../answering/desk.ts";
import { openDesk } from "../answering/open-desk.ts";
import { type ChatTerminal, openChatTerminal } from "../chat/terminal.ts";
import type { Context } from "../context.ts";
import { answeredLine } from "../requests/lines.ts";
import { openTypedHistory } from "../terminal/typed-history.ts";
import type { Stopping } from "./stopping.ts";

/** What a turn asks while it runs, for the human at the terminal that it was started from. */
export interface Asking {
  see(event: Event): void;
  /** Does it at once, or when nothing is asked any more: what is asked has the terminal alone. */
  whenFree(work: () => void): void;
  note(text: string): void;
  close(): void;
}

export interface AskingOptions {
  readonly client: Client;
  readonly sessionId: string;
  readonly answer: Answer;
  readonly stopping: Stopping;
}

interface Opened {
  readonly terminal: ChatTerminal;
  readonly desk: Desk;
}

/** It is drawn on stderr: stdout is the answer's, also where both are one terminal. */
export function createAsking(context: Context, { client, sessionId, answer, stopping }: AskingOptions): Asking {
  const { err } = context;
  let opened: Opened | undefined;
  let later: (() => void)[] = [];
  const note = (text: string): void =>
    (opened?.terminal.screen.out ?? err).write(`${err.style.dim(`parley: ${err.foreignLine(text)}`)}\n`);

  function open(): Opened {
    answer.pause();
    // The terminal hears the signals while it is ours.
    stopping.ignore();
    const terminal = openChatTerminal(
      { ...context, out: err, stdout: context.stderr },
      {
        history: openTypedHistory({ path: undefined, onFailure: ({ message }) => note(message) }),
        complete: () => [],
        above: () => [],
        status: () => "the turn waits for you; Ctrl-C twice stops it",
        asked: (columns, rows, typed) => desk.draw({ columns, rows }, typed),
        onKey: (key, typed) => desk.key(key, typed),
        onLine() {
          desk.sent();
          note("nothing more can be said to this turn from here; Tab answers what is asked");
        },
        onInterrupt: stop,
        onEnd: stop,
      },
    );
    const { screen, lend } = terminal;
    const desk = openDesk({
      client,
      env: context.env,
      screen,
      signal: stopping.signal,
      sessionId: () => sessionId,
      show: (lines) => screen.out.write(`${lines.join("\n")}\n`),
      note,
      lend,
    });
    return { terminal, desk };
  }
  /** The terminal is given back first: the next Ctrl-C is a signal again. */
  function stop(): void {
    close();
    stopping.want();
  }
  function close(): void {
    if (opened === undefined) return;
    const { terminal, desk } = opened;
    opened = undefined;
    desk.close();
    terminal.close();
    stopping.listen();
    const held = later;
    later = [];
    for (const work of held) work();
  }

  return {
    see(event) {
      const { payload } = event;
      if (payload.case !== "requestOpened" && payload.case !== "requestResolved") return;
      const { request } = payload.value;
      if (payload.case === "requestOpened" && !stopping.isWanted) opened ??= open();
      if (opened === undefined || request === undefined) return;
      const { desk, terminal } = opened;
      desk.see(event);
      if (payload.case === "requestResolved")
        terminal.screen.out.write(`${answeredLine(err, request, desk.isOwn(request.id))}\n`);
      terminal.screen.refresh();
      if (desk.open.length === 0) close();
    },
    whenFree(work) {
      if (opened === undefined) work();
      else later.push(work);
    },
    note,
    close,
  };
}
