import { foldLetters, wordsIn, type Word } from "../words.ts";
import type { SearchTerm } from "./search-query.ts";

export interface SnippetPiece {
  readonly text: string;
  readonly isMatch: boolean;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** In UTF-16 units: how much is shown, and how much of it goes before the first match. */
const LENGTH = 200;
const LEAD = 60;
/** A cut moves at most so far to fall between two words. */
const MAX_SHIFT = 24;

/** A long text is first looked through in stretches, which is much faster than word by word. */
const STRETCH = 16 * 1024;
/** From the first stretch that may hold a match on, so many words are looked at: tens of milliseconds at most. */
const MAX_WORDS = 20_000;

/** The text around the first match, cut to about 200 characters, with every match in it told apart. */
export function snippetOf(text: string, terms: readonly SearchTerm[]): readonly SnippetPiece[] {
  const first = matchesIn(text, terms, firstCandidate(text, terms)).next().value ?? { start: 0, end: 0 };
  const shown = windowAround(text, first);
  const inside = text.slice(shown.start, shown.end);
  const found = [...matchesIn(inside, terms)];
  // A phrase longer than what is shown is not found in it.
  const firstInside = { start: first.start - shown.start, end: Math.min(first.end, shown.end) - shown.start };
  const pieces = cutInPieces(inside, found.length === 0 && first.end > 0 ? [firstInside] : found);
  const before = shown.start > 0 ? [{ text: "…", isMatch: false }] : [];
  const after = shown.end < text.length ? [{ text: "…", isMatch: false }] : [];
  return joinPlain([...before, ...pieces, ...after]);
}

/** The places where terms match, in the order of their ends; they may overlap. */
function* matchesIn(text: string, terms: readonly SearchTerm[], from = 0): Generator<Range, undefined> {
  const longest = Math.max(...terms.map(({ words }) => words.length));
  const recent: Word[] = [];
  let count = 0;
  for (const word of wordsIn(text, from)) {
    if (++count > MAX_WORDS) return undefined;
    recent.push({ ...word, text: foldLetters(word.text) });
    if (recent.length > longest) recent.shift();
    for (const term of terms) {
      const start = recent.at(-term.words.length);
      if (start !== undefined && endsWith(recent, term)) yield { start: start.start, end: word.end };
    }
  }
  return undefined;
}

function endsWith(recent: readonly Word[], { words, isPrefix }: SearchTerm): boolean {
  const offset = recent.length - words.length;
  return words.every((word, i) => {
    const text = recent[offset + i]?.text ?? "";
    return isPrefix && i === words.length - 1 ? text.startsWith(word) : text === word;
  });
}

/** A place before which there is no match. */
function firstCandidate(text: string, terms: readonly SearchTerm[]): number {
  const firsts = terms.map(({ words }) => words[0] ?? "");
  // So that a word on the border of two stretches is whole in the first; folded, it may be shorter than it stands there.
  const overlap = 4 * Math.max(...firsts.map(({ length }) => length)) + 16;
  for (let at = 0; at < text.length; at += STRETCH) {
    const stretch = foldLetters(text.slice(at, at + STRETCH + overlap));
    if (firsts.some((word) => stretch.includes(word))) return at === 0 ? 0 : cutNear(text, at, -1);
  }
  return text.length;
}

function windowAround(text: string, match: Range): Range {
  const start = match.start <= LEAD ? 0 : cutNear(text, match.start - LEAD, 1);
  const end = start + LENGTH >= text.length ? text.length : cutNear(text, start + LENGTH, -1);
  return { start, end };
}

/** A place next to a space not far from here in this direction, or here; never inside of a character. */
function cutNear(text: string, place: number, direction: 1 | -1): number {
  for (let shift = 0; shift <= MAX_SHIFT; shift++) {
    const at = place + direction * shift;
    if (/\s/.test(text.charAt(direction === 1 ? at - 1 : at))) return at;
  }
  const isInside = /[\uDC00-\uDFFF]/.test(text.charAt(place)) && /[\uD800-\uDBFF]/.test(text.charAt(place - 1));
  return isInside ? place - direction : place;
}

function cutInPieces(text: string, matches: readonly Range[]): SnippetPiece[] {
  const pieces: SnippetPiece[] = [];
  let at = 0;
  for (const { start, end } of merge(matches)) {
    pieces.push({ text: text.slice(at, start), isMatch: false }, { text: text.slice(start, end), isMatch: true });
    at = end;
  }
  return [...pieces, { text: text.slice(at), isMatch: false }];
}

/** In order, overlapping ones as one. */
function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || range.start > last.end) merged.push(range);
    else merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
  }
  return merged;
}

/** Leaves out empty pieces and joins neighbours of the same kind. */
function joinPlain(pieces: readonly SnippetPiece[]): SnippetPiece[] {
  const joined: SnippetPiece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (piece.text === "") continue;
    if (last?.isMatch === piece.isMatch) joined[joined.length - 1] = { ...last, text: last.text + piece.text };
    else joined.push(piece);
  }
  return joined;
}
