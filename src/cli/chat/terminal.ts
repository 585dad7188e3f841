import { emitKeypressEvents } from "node:readline";
import type { Context } from "../context.ts";
import type { Key } from "../terminal/line-editor.ts";
import { type Candidate, createPrompt } from "../terminal/prompt.ts";
import { type AskedView, promptFooter } from "../terminal/prompt-view.ts";
import { createScreen, type Screen } from "../terminal/screen.ts";
import type { TypedHistory } from "../terminal/typed-history.ts";

/** A human at a terminal: text goes by above, what is typed and the state stay below. */
export interface ChatTerminal {
  readonly screen: Screen;
  /** Puts a text where the human types. */
  set(text: string): void;
  /** Lets another program have the terminal, until it ends. */
  lend(use: () => Promise<void>): Promise<void>;
  /** Gives the terminal back as it was. */
  close(): void;
}

export interface ChatTerminalOptions {
  readonly history: TypedHistory;
  readonly complete: (text: string) => readonly Candidate[];
  readonly above: () => readonly string[];
  /** What is asked, above what is typed. */
  readonly asked: (columns: number, rows: number, typed: string) => AskedView | undefined;
  readonly status: () => string;
  /** True where a key was for what is asked. */
  onKey(key: Key, typed: string): boolean;
  onLine(text: string): void;
  /** Ctrl-C, whether the terminal or somebody else sent it. */
  onInterrupt(): void;
  /** Ctrl-D, or the terminal is gone. */
  onEnd(): void;
}

const ignore = (): void => undefined;

// Pasted text comes in brackets, so that its line ends send nothing.
const PASTE_ON = "\u001B[?2004h";
const NOT_STOPPED_MS = 200;
const PASTE_OFF = "\u001B[?2004l";

export function openChatTerminal({ stdin, stdout, out }: Context, options: ChatTerminalOptions): ChatTerminal {
  let isOpen = true;
  const screen = createScreen({
    output: out,
    stdout,
    footer: (columns, rows) =>
      promptFooter({
        output: out,
        state: prompt.state,
        above: options.above(),
        asked: (most) => options.asked(columns, most, prompt.state.edited.text),
        status: options.status(),
        columns,
        rows,
      }),
  });
  const prompt = createPrompt({
    history: options.history,
    complete: options.complete,
    listener: {
      onSubmit: options.onLine,
      onInterrupt: options.onInterrupt,
      onEnd: options.onEnd,
      onSuspend: suspend,
      onClearScreen: () => screen.clear(),
    },
  });

  function take(): void {
    stdin.setRawMode(true);
    out.write(PASTE_ON);
  }
  function giveBack(): void {
    screen.hide();
    out.write(PASTE_OFF);
    stdin.setRawMode(false);
  }
  /** Ctrl-Z: the shell has the terminal until it says that we go on. Where no shell waits, nothing stops us. */
  function suspend(): void {
    giveBack();
    const goOn = (): void => {
      clearTimeout(notStopped);
      process.off("SIGCONT", goOn);
      if (!isOpen) return;
      take();
      screen.draw();
    };
    process.once("SIGCONT", goOn);
    const notStopped = setTimeout(goOn, NOT_STOPPED_MS);
    process.kill(process.pid, "SIGTSTP");
  }
  const onKey = (_text: string | undefined, key: Key): void => {
    if (!options.onKey(key, prompt.state.edited.text)) prompt.key(key);
    screen.refresh();
  };
  emitKeypressEvents(stdin);
  stdin.on("keypress", onKey);
  stdin.on("end", options.onEnd);
  process.on("SIGINT", options.onInterrupt);
  process.on("SIGTERM", options.onEnd);
  process.on("SIGHUP", options.onEnd);
  take();
  stdin.resume();

  return {
    screen,
    set(text) {
      prompt.set(text);
      screen.refresh();
    },
    async lend(use) {
      screen.pause();
      giveBack();
      stdin.pause();
      // Ctrl-C is for who has the terminal, and comes to all in front of it.
      process.off("SIGINT", options.onInterrupt);
      process.on("SIGINT", ignore);
      try {
        await use();
      } finally {
        process.off("SIGINT", ignore);
        if (isOpen) {
          process.on("SIGINT", options.onInterrupt);
          take();
          stdin.resume();
        }
        screen.resume();
      }
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      screen.close();
      giveBack();
      stdin.off("keypress", onKey);
      stdin.off("end", options.onEnd);
      process.off("SIGINT", options.onInterrupt);
      process.off("SIGTERM", options.onEnd);
      process.off("SIGHUP", options.onEnd);
      stdin.pause();
    },
  };
}
