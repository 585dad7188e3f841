import { DomainError } from "../errors.ts";
import { foldText, wordsIn } from "../words.ts";

/** Words that must follow one another. */
export interface SearchTerm {
  /** Folded, in order, at least one. */
  readonly words: readonly string[];
  /** Whether the last word stands for all that begin so. */
  readonly isPrefix: boolean;
}

/** A text in quotes, or a run without spaces and quotes. A quote that is not closed reaches to the end. */
const PIECE = /"(?<quoted>[^"]*)"?|(?<plain>[^\s"]+)/gu;

/**
 * What a search asks for: words, "words in quotes" that follow one another, and begin* of words. Everything else is text:
 * what is joined by signs, as in `a-b`, must follow one another too. Throws DomainError `INVALID_QUERY` where there is no word.
 */
export function parseSearch(query: string): readonly SearchTerm[] {
  const terms = [...query.matchAll(PIECE)].flatMap(({ groups }) => {
    const { quoted, plain = "" } = groups as { readonly quoted?: string; readonly plain?: string };
    return quoted === undefined ? termOf(plain, plain.endsWith("*")) : termOf(quoted, false);
  });
  return atLeastOne(terms);
}

/** What a title is asked for: each run without spaces may be the beginning of words. Throws DomainError `INVALID_QUERY`. */
export function parseTitleQuery(query: string): readonly SearchTerm[] {
  return atLeastOne(query.split(/\s+/u).flatMap((piece) => termOf(piece, true)));
}

function termOf(text: string, isPrefix: boolean): SearchTerm[] {
  const words = [...wordsIn(foldText(text))].map((word) => word.text);
  return words.length === 0 ? [] : [{ words, isPrefix }];
}

function atLeastOne(terms: readonly SearchTerm[]): readonly SearchTerm[] {
  if (terms.length > 0) return terms;
  const message = "query: it holds no word, only signs; write at least one letter or digit";
  throw new DomainError("invalid", "INVALID_QUERY", message, { field: "query" });
}

/** The same in the language of the index. Words hold letters and digits alone, so that nothing in them is taken for syntax. */
export function toMatch(terms: readonly SearchTerm[], facets: readonly string[]): string {
  const phrases = terms.map(({ words, isPrefix }) => `"${words.join(" ")}"${isPrefix ? "*" : ""}`);
  return [...phrases, ...facets].join(" AND ");
}
