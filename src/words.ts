/** Scripts that put no space between words: each of their characters counts as one. */
const UNSPACED_SCRIPTS =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const UNSPACED = new RegExp(`[${UNSPACED_SCRIPTS}]`, "gv");

/** What the store's tokenizer (unicode61 of SQLite's FTS5) takes for a part of a word. */
const WORD_CHARACTERS = "\\p{L}\\p{N}\\p{Co}\\u0300-\\u036f";
const WORD = new RegExp(`[${UNSPACED_SCRIPTS}]|[[${WORD_CHARACTERS}]--[${UNSPACED_SCRIPTS}]]+`, "gv");

const ACCENTS = /[\u0300-\u036f]/g;

/** A text without case and accents. */
export function foldLetters(text: string): string {
  const lower = text.toLowerCase();
  if (isAscii(lower)) return lower;
  // Decomposed, a letter stands apart from its accent; composed again, since some scripts are decomposed altogether.
  return lower.normalize("NFD").replace(ACCENTS, "").normalize("NFC").replaceAll("ς", "σ");
}

/**
 * A text as it is found: without case and accents, and with a space around each character that is a word by itself. What is
 * indexed and what is asked for both go through here, so that they meet.
 */
export function foldText(text: string): string {
  const folded = foldLetters(text);
  return isAscii(folded) ? folded : folded.replace(UNSPACED, " $& ");
}

/** Every character is a byte then. */
function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** A word and where it stands in its text. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The words of a text, as they stand in it. */
export function* wordsIn(text: string, from = 0): Generator<Word> {
  const pattern = new RegExp(WORD);
  pattern.lastIndex = from;
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    yield { text: found[0], start: found.index, end: pattern.lastIndex };
  }
}

/** The words of a title, folded, with a space between each: what it is found and ordered by. */
export function titleWords(title: string): string {
  return Array.from(wordsIn(foldText(title)), ({ text }) => text).join(" ");
}
