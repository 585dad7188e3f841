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

/** Holds at least so many characters of the end, and little more. */
export function createTail(maxChars: number): Tail {
  let pieces: string[] = [];
  let held = 0;
  let length = 0;

  function join(): string {
    const text = pieces.join("");
    const start = Math.max(0, text.length - maxChars);
    const kept = text.slice(start > 0 ? wholeStart(text, start) : 0);
    pieces = [kept];
    held = kept.length;
    return kept;
  }

  return {
    add(text) {
      if (text === "") return;
      pieces.push(text);
      held += text.length;
      length += text.length;
      // Joined now and then: many small pieces cost more than their text.
      if (held > 2 * maxChars || pieces.length > 1000) join();
    },
    length: () => length,
    read(from = 0) {
      const kept = join();
      const start = length - kept.length;
      if (from <= start) return { text: kept, dropped: start - from };
      return { text: kept.slice(from - start), dropped: 0 };
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
  return code >= 0xdc00 && code <= 0xdfff ? start + 1 : start;
}
