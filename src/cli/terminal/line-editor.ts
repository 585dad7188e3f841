import { cells } from "./width.ts";

/** A text that is being typed; may have several lines. */
export interface EditedText {
  readonly text: string;
  /** In UTF-16 units, always between two characters as a reader sees them. */
  readonly cursor: number;
  /** What was cut last, for Ctrl-Y. */
  readonly cut: string;
}

/** A key as node:readline tells it. */
export interface Key {
  readonly name?: string | undefined;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
  readonly shift?: boolean;
  readonly sequence?: string | undefined;
}

export const EMPTY_TEXT: EditedText = { text: "", cursor: 0, cut: "" };

/** A text as if it had just been typed. */
export function typedText(text: string, before: EditedText = EMPTY_TEXT): EditedText {
  return { ...before, text, cursor: text.length };
}

/** Adds text where the cursor is. What would steer a terminal is left out, but for line feeds and tabs. */
export function insert({ text, cursor, cut }: EditedText, added: string): EditedText {
  // oxlint-disable-next-line no-control-regex -- they are what is left out
  const clean = added.replace(/\r\n?/g, "\n").replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "");
  return { text: text.slice(0, cursor) + clean + text.slice(cursor), cursor: cursor + clean.length, cut };
}

/** What the text is after a key; undefined where the key does not edit. */
export function editKey(now: EditedText, key: Key): EditedText | undefined {
  const command = commandOf(key);
  if (command !== undefined) return COMMANDS[command]?.(now);
  if (key.ctrl === true || key.meta === true || key.sequence === undefined) return undefined;
  // oxlint-disable-next-line no-control-regex -- keys that are no text send them
  return /^[^\u0000-\u001F\u007F]+$/u.test(key.sequence) ? insert(now, key.sequence) : undefined;
}

function commandOf({ name = "", ctrl = false, meta = false }: Key): string | undefined {
  if (ctrl && !meta) return CTRL[name];
  if (meta && !ctrl) return META[name];
  return ctrl ? undefined : PLAIN[name];
}

const PLAIN: Readonly<Record<string, string>> = {
  left: "left",
  right: "right",
  home: "lineStart",
  end: "lineEnd",
  backspace: "deleteLeft",
  delete: "deleteRight",
};
const CTRL: Readonly<Record<string, string>> = {
  a: "lineStart",
  e: "lineEnd",
  b: "left",
  f: "right",
  h: "deleteLeft",
  d: "deleteRight",
  w: "cutWordLeft",
  u: "cutToLineStart",
  k: "cutToLineEnd",
  y: "paste",
  left: "wordLeft",
  right: "wordRight",
  backspace: "cutWordLeft",
};
const META: Readonly<Record<string, string>> = {
  b: "wordLeft",
  f: "wordRight",
  left: "wordLeft",
  right: "wordRight",
  d: "cutWordRight",
  backspace: "cutWordLeft",
  return: "newLine",
  enter: "newLine",
};

type Edit = (now: EditedText) => EditedText;

const COMMANDS: Readonly<Record<string, Edit>> = {
  left: (now) => moveTo(now, leftOf(now)),
  right: (now) => moveTo(now, rightOf(now)),
  wordLeft: (now) => moveTo(now, wordLeftOf(now)),
  wordRight: (now) => moveTo(now, wordRightOf(now)),
  lineStart: (now) => moveTo(now, lineStartOf(now)),
  lineEnd: (now) => moveTo(now, lineEndOf(now)),
  newLine: (now) => insert(now, "\n"),
  paste: (now) => insert(now, now.cut),
  deleteLeft: (now) => without(now, leftOf(now), now.cursor),
  deleteRight: (now) => without(now, now.cursor, rightOf(now)),
  cutWordLeft: (now) => cut(now, wordLeftOf(now), now.cursor),
  cutWordRight: (now) => cut(now, now.cursor, wordRightOf(now)),
  cutToLineStart: (now) => cut(now, Math.min(lineStartOf(now), leftOf(now)), now.cursor),
  cutToLineEnd: (now) => cut(now, now.cursor, Math.max(lineEndOf(now), rightOf(now))),
};

function moveTo(now: EditedText, cursor: number): EditedText {
  return { ...now, cursor };
}

function without({ text, cut }: EditedText, from: number, to: number): EditedText {
  return { text: text.slice(0, from) + text.slice(to), cursor: from, cut };
}

function cut(now: EditedText, from: number, to: number): EditedText {
  return from === to ? now : { ...without(now, from, to), cut: now.text.slice(from, to) };
}

function leftOf({ text, cursor }: EditedText): number {
  // A character is looked for in its line alone: a text of 100 KB is not walked for each key.
  const start = text.lastIndexOf("\n", cursor - 1) + 1;
  if (start === cursor) return Math.max(0, cursor - 1);
  let last = start;
  for (const cell of cells(text.slice(start, cursor))) last = cursor - cell.text.length;
  return last;
}

function rightOf({ text, cursor }: EditedText): number {
  for (const cell of cells(text.slice(cursor, cursor + 64))) return cursor + cell.text.length;
  return cursor;
}

function wordLeftOf({ text, cursor }: EditedText): number {
  return text.slice(0, cursor).replace(/[\p{L}\p{N}\p{M}_]+[^\p{L}\p{N}\p{M}_]*$|[^\p{L}\p{N}\p{M}_]+$/u, "").length;
}

function wordRightOf({ text, cursor }: EditedText): number {
  const word = /^[^\p{L}\p{N}\p{M}_]*[\p{L}\p{N}\p{M}_]*/u.exec(text.slice(cursor))?.[0] ?? "";
  return cursor + word.length;
}

function lineStartOf({ text, cursor }: EditedText): number {
  return cursor === 0 ? 0 : text.lastIndexOf("\n", cursor - 1) + 1;
}

function lineEndOf({ text, cursor }: EditedText): number {
  const end = text.indexOf("\n", cursor);
  return end < 0 ? text.length : end;
}

/** One line up or down, in the same column; undefined where there is none. */
export function moveLine(now: EditedText, by: -1 | 1): EditedText | undefined {
  const { text } = now;
  const start = lineStartOf(now);
  const column = now.cursor - start;
  const target = by < 0 ? lineStartOf({ ...now, cursor: start - 1 }) : lineEndOf(now) + 1;
  if (by < 0 ? start === 0 : target > text.length) return undefined;
  const end = lineEndOf({ ...now, cursor: target });
  return moveTo(now, snap(text, target, Math.min(target + column, end)));
}

/** The nearest place before it that is between two characters. */
function snap(text: string, start: number, place: number): number {
  let at = start;
  for (const cell of cells(text.slice(start, place + 64))) {
    if (at + cell.text.length > place) break;
    at += cell.text.length;
  }
  return at;
}
