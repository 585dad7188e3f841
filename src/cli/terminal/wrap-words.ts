import { cells, widthOf } from "./width.ts";

export interface WrapOptions {
  /** How far rows after the first are set in, in columns; none where that would leave too little room. */
  readonly hang?: number;
  /**
   * A word that is wider than a row is `cut` (the default), or left `whole` for the terminal to wrap: an address, or a command
   * between backticks, is copied as it is then.
   */
  readonly long?: "cut" | "whole";
}

/**
 * A line as rows that break where a reader expects it: at spaces, and between the characters of scripts that are written without.
 * Spaces at its beginning stay, those at a break go. Colours end with their row and go on in the next.
 */
export function wrapWords(line: string, columns: number, { hang = 0, long = "cut" }: WrapOptions = {}): string[] {
  if (line.length <= columns && PLAIN.test(line)) return [line];
  const { glyphs, tail } = glyphsOf(line.replaceAll("\t", "    "));
  const width = Math.max(1, columns);
  const indent = hang * 2 <= width ? hang : 0;
  const places = breaksOf(glyphs, { width, indent, isCut: long === "cut" });
  const colors = createColors();
  return places.map(({ from, to, next }, index) => {
    const opening = colors.open();
    const text = glyphs.slice(from, to).map((glyph) => colors.see(glyph.before) + glyph.text);
    // A colour may change in the spaces that go.
    const end = next === glyphs.length ? tail : glyphs.slice(to, next).map(({ before }) => before);
    const rest = [end].flat().map((codes) => colors.see(codes));
    return [index === 0 ? "" : " ".repeat(indent), opening, ...text, ...rest, colors.close()].join("");
  });
}

/** Most lines are this, and as wide as they are long. */
const PLAIN = /^[\u0021-\u007E](?:[\u0020-\u007E]*[\u0021-\u007E])?$/;

/** Words between ` · `, as rows that break there alone. */
export function wrapItems(line: string, columns: number): string[] {
  const rows: string[] = [];
  for (const item of line.split(" · ")) {
    const joined = `${rows.at(-1)} · ${item}`;
    if (rows.length > 0 && widthOf(joined) <= columns) rows[rows.length - 1] = joined;
    else rows.push(...wrapWords(item, columns));
  }
  return rows;
}

/** What takes columns of a terminal, with the colour codes that stand before it. */
interface Glyph {
  readonly before: string;
  readonly text: string;
  readonly width: number;
}

// oxlint-disable-next-line no-control-regex -- colours begin with escape
const CODES = /(?:\u001B\[[0-9;]*m)+/g;

function glyphsOf(line: string): { readonly glyphs: readonly Glyph[]; readonly tail: string } {
  const glyphs: Glyph[] = [];
  let before = "";
  let at = 0;
  const take = (text: string): void => {
    for (const cell of cells(text)) {
      glyphs.push({ before, ...cell });
      before = "";
    }
  };
  for (const { 0: codes, index } of line.matchAll(CODES)) {
    take(line.slice(at, index));
    before += codes;
    at = index + codes.length;
  }
  take(line.slice(at));
  return { glyphs, tail: before };
}

/** One row: what is shown of it, and where the next begins. */
interface Row {
  readonly from: number;
  readonly to: number;
  readonly next: number;
}

interface Limits {
  readonly width: number;
  readonly indent: number;
  readonly isCut: boolean;
}

function breaksOf(glyphs: readonly Glyph[], { width, indent, isCut }: Limits): Row[] {
  const rows: Row[] = [];
  const mayBreak = breakable(glyphs, !isCut);
  let from = 0;
  let place = 0;
  let used = 0;
  const endRow = (next: number): void => {
    rows.push({ from, to: trimmed(glyphs, from, next), next });
    from = next;
  };
  for (const [index, glyph] of glyphs.entries()) {
    if (mayBreak(index)) place = index;
    if (used + glyph.width > width && !isSpace(glyph)) {
      if (place > from) {
        endRow(place);
        used = indent + widthBetween(glyphs, place, index);
      }
      if (isCut && used + glyph.width > width && index > from) {
        endRow(index);
        used = indent;
      }
    }
    used += glyph.width;
  }
  return [...rows, { from, to: trimmed(glyphs, from, glyphs.length), next: glyphs.length }];
}

const isSpace = ({ text }: Glyph): boolean => text === " ";

/** What must not begin a row, and what must not end one. */
const CLOSING = /^[)\]}.,:;!?%'"”’…、。，．：；！？」』】）〕〉》々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ]/u;
const OPENING = /^[([{“‘「『【（〔〈《]/u;

/** Whether a row may begin with a glyph. With `keepsCommands` none begins between backticks. */
function breakable(glyphs: readonly Glyph[], keepsCommands: boolean): (index: number) => boolean {
  const first = glyphs.findIndex((glyph) => !isSpace(glyph));
  const ticks = glyphs.filter(({ text }) => text === "`").length;
  let isInside = false;
  return (index) => {
    const [last, now] = [glyphs[index - 1], glyphs[index]];
    if (now?.text === "`" && keepsCommands && ticks % 2 === 0) {
      isInside = !isInside;
      if (!isInside) return false;
    } else if (isInside) return false;
    if (last === undefined || now === undefined || isSpace(now) || index <= first) return false;
    if (isSpace(last)) return true;
    const isBetweenWide = last.width > 1 || now.width > 1;
    return isBetweenWide && !CLOSING.test(now.text) && !OPENING.test(last.text);
  };
}

function trimmed(glyphs: readonly Glyph[], from: number, to: number): number {
  let end = to;
  while (end > from && glyphs[end - 1]?.text === " ") end--;
  return end;
}

function widthBetween(glyphs: readonly Glyph[], from: number, to: number): number {
  return glyphs.slice(from, to).reduce((sum, { width }) => sum + width, 0);
}

/** What ends each kind of colour. */
const CLOSERS: readonly (readonly [opening: RegExp, closing: string])[] = [
  [/^[12]$/, "22"],
  [/^3$/, "23"],
  [/^4$/, "24"],
  [/^(?:3|9)[0-7]$/, "39"],
];

const closerOf = (code: string): string | undefined => CLOSERS.find(([opening]) => opening.test(code))?.[1];
const codeOf = (code: string): string => `\u001B[${code}m`;

/** Which colours are on. */
function createColors() {
  let on: readonly string[] = [];
  return {
    /** Takes codes up, and returns them. */
    see(codes: string): string {
      if (codes === "") return codes;
      for (const [, code = ""] of codes.matchAll(/\[([0-9;]*)m/g)) {
        if (closerOf(code) === undefined) on = on.filter((open) => closerOf(open) !== code);
        else on = [...on, code];
      }
      return codes;
    },
    /** What turns on again what is on. */
    open: (): string => on.map(codeOf).join(""),
    close: (): string => [...new Set(on.toReversed().map((code) => closerOf(code) ?? "0"))].map(codeOf).join(""),
  };
}
