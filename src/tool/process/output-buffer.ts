/** What a command printed, within bounds: its beginning and its end. */
export interface OutputBuffer {
  add(text: string): void;
  /** All that is held, with a word about what is not. */
  text(): string;
}

/** Holds so many characters from the beginning and as many from the end. */
export function createOutputBuffer(maxHead: number, maxTail: number): OutputBuffer {
  let head = "";
  const tail = createTail(maxTail);
  let isHeadFull = false;
  return {
    add(text) {
      let rest = text;
      if (!isHeadFull) {
        const end = wholeEnd(text, maxHead - head.length);
        head += text.slice(0, end);
        rest = text.slice(end);
        isHeadFull = rest !== "";
      }
      tail.add(rest);
    },
    text() {
      const { text, dropped } = tail.read();
      return dropped === 0 ? head + text : `${head}\n[${dropped} characters of output are not kept]\n${text}`;
    },
  };
}

/** The end of a text that grows. */
export interface Tail {
  add(text: string): void;
  /** How long the whole text is that was added. */
  length(): number;
  /** What is held of it from a place in the whole text on, and how many characters after that place are not. */
  read(from?: number): { readonly text: string; readonly dropped: number };
}

/** Small pieces are joined up to this: a piece of its own costs more than a few characters. */
const PIECE_CHARS = 8192;

/** Holds at least so many characters of the end, and little more. */
export function createTail(maxChars: number): Tail {
  const pieces: string[] = [];
  let held = 0;
  let length = 0;

  return {
    add(text) {
      if (text === "") return;
      const last = pieces.at(-1);
      if (last !== undefined && last.length + text.length <= PIECE_CHARS) pieces[pieces.length - 1] = last + text;
      else pieces.push(text);
      held += text.length;
      length += text.length;
      for (let first = pieces[0]; first !== undefined && held - first.length >= maxChars; first = pieces[0]) {
        held -= first.length;
        pieces.shift();
      }
    },
    length: () => length,
    read(from = 0) {
      const start = Math.max(from, length - maxChars);
      const text = pieces.join("");
      const at = wholeStart(text, start - (length - text.length));
      return { text: text.slice(at), dropped: length - (text.length - at) - from };
    },
  };
}

/** The end at or before `end` that cuts no character in two. */
function wholeEnd(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  return end > 0 && end < text.length && code >= 0xd800 && code <= 0xdbff ? end - 1 : end;
}

/** The start at or after `start` that cuts no character in two. */
function wholeStart(text: string, start: number): number {
  const code = text.charCodeAt(start);
  return start > 0 && code >= 0xdc00 && code <= 0xdfff ? start + 1 : start;
}
