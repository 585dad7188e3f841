import type { Output } from "../output.ts";

/** Shown only when something takes longer than this: a quick answer needs no spinner. */
const AFTER_MS = 250;
const FRAME_MS = 100;
const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/** Tells a human that something is being waited for. Does nothing outside a terminal. */
export interface Spinner {
  /** Begins, or changes the label of the one that runs. The cursor must stand at the start of a line. */
  start(label: string): void;
  /** Leaves the line empty. To be called before anything else is written. */
  stop(): void;
}

export function createSpinner(output: Output): Spinner {
  let timer: NodeJS.Timeout | undefined;
  let label = "";
  let startedAt = 0;
  let isDrawn = false;

  function draw(): void {
    const waitedMs = performance.now() - startedAt;
    const frame = FRAMES[Math.floor(waitedMs / FRAME_MS) % FRAMES.length] ?? "";
    const seconds = waitedMs < 2000 ? "" : ` ${Math.floor(waitedMs / 1000)} s`;
    output.write(`\r\u001B[K${output.style.dim(`${frame} ${label}${seconds}`)}`);
    isDrawn = true;
    timer = setTimeout(draw, FRAME_MS);
  }

  return {
    start(text) {
      if (!output.isTerminal) return;
      label = output.foreignLine(text);
      if (timer !== undefined) return;
      startedAt = performance.now();
      timer = setTimeout(draw, AFTER_MS);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      if (isDrawn) output.write("\r\u001B[K");
      isDrawn = false;
    },
  };
}

/** Keeps what is waited for, to be shown in the line of the state instead of on a line of its own. */
export interface StatusLabel extends Spinner {
  readonly label: string;
}

export function createStatusLabel(onChange: () => void): StatusLabel {
  let label = "";
  return {
    get label() {
      return label;
    },
    start(text) {
      label = text;
      onChange();
    },
    stop() {
      label = "";
    },
  };
}
