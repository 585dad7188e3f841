import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from "node:readline";
import { Writable } from "node:stream";
import type { Context } from "./context.ts";

export interface ChatLine {
  readonly text: string;
  /** True: it stands on the screen already, where its human typed it. */
  readonly isShown: boolean;
}

/** What a human types, or what is piped in: line by line. */
export interface ChatInput {
  /** A human at a terminal, and not a pipe. */
  readonly isInteractive: boolean;
  /** The next line; undefined when there will be none. Shows the prompt where a human types. */
  read(): Promise<ChatLine | undefined>;
  /** Makes room for output while the prompt stands; what was typed comes back with the next prompt. */
  hidePrompt(): void;
  /** Brings it back, where a line is waited for. */
  showPrompt(): void;
  /** Forgets the lines that were typed ahead. */
  dropLines(): void;
  /** Empties the line that is being typed. False where it is empty. */
  clearLine(): boolean;
  close(): void;
}

export interface ChatInputListener {
  /** Ctrl-C, whether the terminal or somebody else sent it. */
  onInterrupt(): void;
  /** The prompt is about to stand on the line where the cursor is. */
  onPrompt(): void;
  /** The prompt is gone from there, with nothing typed. */
  onPromptGone(): void;
  /** A human said with Ctrl-D that no more lines come. */
  onEnd(): void;
}

/** Lines that are typed while an answer comes wait their turn. A line that ends with a backslash goes on in the next. */
export function createChatInput({ stdin, stdout, out, json }: Context, listener: ChatInputListener): ChatInput {
  const isInteractive = stdin.isTTY && out.isTerminal && !json;
  const lines: ChatLine[] = [];
  let wake: (() => void) | undefined;
  let begun = "";
  let isClosed = false;
  let isMuted = true;

  // While an answer comes the terminal shows the answer, and not what is typed into it.
  const echo = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!isMuted) stdout.write(chunk);
      done();
    },
  });
  // Readline asks its output how wide the terminal is.
  Object.defineProperty(echo, "columns", { get: () => stdout.columns });
  const reader: Interface = createInterface({
    input: stdin,
    ...(isInteractive ? { output: echo, terminal: true } : { terminal: false }),
    prompt: `${out.style.cyan("›")} `,
    historySize: 500,
  });
  const interrupt = (): void => listener.onInterrupt();
  reader.on("SIGINT", interrupt);
  process.on("SIGINT", interrupt);
  const onResize = (): void => void echo.emit("resize");
  stdout.on("resize", onResize);
  reader.on("line", (line) => {
    if (line.endsWith("\\")) {
      begun += `${line.slice(0, -1)}\n`;
      if (!isMuted) reader.prompt();
      return;
    }
    lines.push({ text: begun + line, isShown: isInteractive && !isMuted });
    begun = "";
    // At once: of several lines that were pasted only the first stands at the prompt.
    isMuted = true;
    wake?.();
  });
  reader.on("close", () => {
    isClosed = true;
    if (isInteractive) listener.onEnd();
    wake?.();
  });

  function showPrompt(): void {
    if (!isInteractive || isClosed || wake === undefined || !isMuted) return;
    listener.onPrompt();
    isMuted = false;
    reader.prompt(true);
  }
  function hidePrompt(): void {
    if (!isInteractive || isMuted) return;
    const { rows } = reader.getCursorPos();
    moveCursor(stdout, 0, -rows);
    cursorTo(stdout, 0);
    clearScreenDown(stdout);
    isMuted = true;
    listener.onPromptGone();
  }

  return {
    isInteractive,
    async read() {
      for (;;) {
        const line = lines.shift();
        if (line !== undefined) return line;
        if (isClosed) return undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          showPrompt();
        });
        wake = undefined;
      }
    },
    showPrompt,
    hidePrompt,
    dropLines: () => void lines.splice(0),
    clearLine() {
      if (!isInteractive || isMuted || (reader.line === "" && begun === "")) return false;
      begun = "";
      reader.write(null, { ctrl: true, name: "e" });
      reader.write(null, { ctrl: true, name: "u" });
      return true;
    },
    close() {
      process.off("SIGINT", interrupt);
      stdout.off("resize", onResize);
      reader.close();
    },
  };
}
