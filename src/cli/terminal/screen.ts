import type { Output } from "../output.ts";
import { lastRows, type Place, placeAfter, rowsOf } from "./screen-rows.ts";

/** What stands below the text: what is being typed, and the state. */
export interface Footer {
  readonly lines: readonly string[];
  /** Where the cursor stands: after this much of the lines, joined with line feeds. Undefined = it is hidden. */
  readonly cursorAfter: string | undefined;
}

/**
 * A terminal whose last rows are drawn again and again, while everything above them is written once and never touched:
 * whole lines go to the scrollback as they are, so that the terminal wraps, scrolls and copies them as any program's.
 */
export interface Screen {
  /** Text goes through here: lines that are whole are written, the one that is not yet is drawn above the footer. */
  readonly out: Output;
  /** What follows the text but may still change, such as a line of Markdown that is not whole. */
  preview(text: string): void;
  /** Draws, soon. */
  refresh(): void;
  /** Draws at once. */
  draw(): void;
  /** Empties the terminal; the scrollback stays. */
  clear(): void;
  /** Takes the last rows away, so that something else can be written; the next drawing brings them back. */
  hide(): void;
  /** The same, and draws nothing until it is resumed; what is written meanwhile comes then. */
  pause(): void;
  resume(): void;
  /** The same for good: a line that is not whole is written as it is. */
  close(): void;
}

export interface ScreenOptions {
  readonly output: Output;
  readonly stdout: NodeJS.WriteStream;
  readonly footer: (columns: number, rows: number) => Footer;
}

/** More pictures a second nobody sees. */
const FRAME_MS = 25;
const SYNC_BEGIN = "\u001B[?2026h";
const SYNC_END = "\u001B[?2026l";
const HIDE_CURSOR = "\u001B[?25l";
const SHOW_CURSOR = "\u001B[?25h";

export function createScreen({ output, stdout, footer }: ScreenOptions): Screen {
  let unwritten = "";
  let tail = "";
  let preview = "";
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let isPaused = false;
  // What stands there now, to be found again: a terminal that was made narrower has wrapped it anew.
  let drawn: Drawn | undefined;

  const columns = (): number => Math.max(10, stdout.columns ?? 80);
  const rows = (): number => Math.max(4, stdout.rows ?? 24);

  /** To the first of the rows that are ours, and empties all below. */
  function erase(): string {
    if (drawn === undefined) return "";
    const up = cursorPlace(drawn, columns()).row;
    drawn = undefined;
    return `${up > 0 ? `\u001B[${up}A` : ""}\r\u001B[J`;
  }

  function draw(): void {
    clearTimeout(timer);
    timer = undefined;
    if (isClosed || isPaused) return;
    const width = columns();
    const { lines, cursorAfter } = footer(width, rows());
    const footerRows = lines.reduce((sum, line) => sum + rowsOf(line, width), 0);
    const open = expandTabs(tail + preview);
    const above = open === "" ? [] : lastRows(open.split("\n"), width, Math.max(1, rows() - 1 - footerRows));
    const all = [...above, ...lines].join("\n");
    const beforeCursor = cursorAfter === undefined || lines.length === 0 ? all : [...above, cursorAfter].join("\n");
    const now = { all, beforeCursor };
    const picture = `${SYNC_BEGIN}${HIDE_CURSOR}${erase()}${unwritten}${all}${moveBack(now, width)}`;
    unwritten = "";
    drawn = now;
    output.write(`${picture}${cursorAfter === undefined ? "" : SHOW_CURSOR}${SYNC_END}`);
  }

  function refresh(): void {
    if (!isClosed) timer ??= setTimeout(draw, FRAME_MS);
  }

  function hide(): void {
    clearTimeout(timer);
    timer = undefined;
    output.write(`${erase()}${unwritten}${SHOW_CURSOR}`);
    unwritten = "";
  }

  const onResize = (): void => draw();
  stdout.on("resize", onResize);

  return {
    out: {
      ...output,
      get columns() {
        return columns();
      },
      write(text) {
        if (isClosed) return output.write(text);
        const whole = text.lastIndexOf("\n") + 1;
        if (whole > 0) {
          unwritten += tail + text.slice(0, whole);
          tail = "";
        }
        tail += text.slice(whole);
        refresh();
      },
    },
    preview(text) {
      preview = text;
      refresh();
    },
    refresh,
    draw,
    clear() {
      output.write("\u001B[H\u001B[2J");
      drawn = undefined;
      draw();
    },
    hide,
    pause() {
      hide();
      isPaused = true;
    },
    resume() {
      isPaused = false;
      draw();
    },
    close() {
      if (isClosed) return;
      hide();
      isClosed = true;
      stdout.off("resize", onResize);
      output.write(tail);
      tail = "";
    },
  };
}

interface Drawn {
  readonly all: string;
  readonly beforeCursor: string;
}

/** After the last column a terminal has not wrapped yet; where more follows, the cursor of a human belongs on the next row. */
function cursorPlace({ all, beforeCursor }: Drawn, columns: number): Place {
  const place = placeAfter(beforeCursor, columns);
  return all !== beforeCursor && place.column >= columns ? { row: place.row + 1, column: 0 } : place;
}

/** From the end of what was drawn to where the cursor belongs. */
function moveBack(drawn: Drawn, columns: number): string {
  if (drawn.all === drawn.beforeCursor) return "";
  const { row, column } = cursorPlace(drawn, columns);
  const up = placeAfter(drawn.all, columns).row - row;
  return `${up > 0 ? `\u001B[${up}A` : ""}\r${column > 0 ? `\u001B[${column}C` : ""}`;
}

/** How wide a tab is depends on where it stands; what is drawn again has to have a width. */
function expandTabs(text: string): string {
  return text.replaceAll("\t", "    ");
}
