export interface Edit {
  /** Not empty. */
  readonly oldText: string;
  readonly newText: string;
  readonly replaceAll: boolean;
}

/** The most lines of text and of what is looked for that are compared to find the nearest miss. */
const MAX_COMPARED = 200_000;

/** Replaces one after another. Throws with a message for the model where one does not fit. `count` is how many places changed. */
export function applyEdits(
  path: string,
  text: string,
  edits: readonly Edit[],
): { readonly text: string; readonly count: number } {
  let edited = text;
  let count = 0;
  for (const [index, given] of edits.entries()) {
    const edit = withEndsOf(edited, given);
    const found = edited.split(edit.oldText).length - 1;
    const which = edits.length === 1 ? "old_text" : `edits[${index}].old_text`;
    if (found === 0)
      throw new Error(
        `${path}: ${which} is not in the file, and nothing was changed. ${nearestMiss(edited, edit.oldText)}`,
      );
    if (found > 1 && !edit.replaceAll) {
      throw new Error(
        `${path}: ${which} is in the file ${found} times (lines ${linesWith(edited, edit.oldText)}), and nothing was changed; give more of what is around it, or replace_all`,
      );
    }
    edited = edited.split(edit.oldText).join(edit.newText);
    count += found;
  }
  return { text: edited, count };
}

/** Models write lines that end in LF, also of files whose lines end in CRLF. */
function withEndsOf(text: string, edit: Edit): Edit {
  if (!text.includes("\r\n") || edit.oldText.includes("\r\n") || /(?<!\r)\n/.test(text)) return edit;
  return { ...edit, oldText: toCrlf(edit.oldText), newText: toCrlf(edit.newText) };
}

function toCrlf(text: string): string {
  return text.replace(/\r?\n/g, "\r\n");
}

function linesWith(text: string, piece: string): string {
  const lines: number[] = [];
  let line = 1;
  let from = 0;
  for (let at = text.indexOf(piece); at !== -1 && lines.length < 10; at = text.indexOf(piece, at + piece.length)) {
    line += text.slice(from, at).split("\n").length - 1;
    from = at;
    lines.push(line);
  }
  return lines.join(", ");
}

/** Says where the text is most like what was looked for, in words for the model. */
function nearestMiss(text: string, wanted: string): string {
  const lines = text.split("\n");
  const sought = wanted.replace(/\n$/, "").split("\n");
  if (lines.length * sought.length > MAX_COMPARED) return "Read the file again.";
  const keys = lines.map(blankless);
  const soughtKeys = sought.map(blankless);
  let best = { start: -1, score: 0 };
  for (let start = 0; start + sought.length <= lines.length; start++) {
    const score = soughtKeys.reduce((sum, key, offset) => sum + likeness(key, keys[start + offset] ?? ""), 0);
    if (score > best.score) best = { start, score };
  }
  if (best.start === -1 || best.score < sought.length * 0.4) return "Nothing in it is like it; read the file again.";
  const near = lines.slice(best.start, best.start + sought.length).join("\n");
  const isOnlyBlank = best.score === sought.length;
  const hint = isOnlyBlank ? " (only blanks differ)" : "";
  return `Nearest are lines ${best.start + 1} to ${best.start + sought.length}${hint}:\n${near.slice(0, 2000).toWellFormed()}`;
}

function blankless(line: string): string {
  return line.replace(/\s+/g, "");
}

/** 1 = the same; else how much of the longer line its common beginning and end make up, at most 0.9. */
function likeness(a: string, b: string): number {
  if (a === b) return 1;
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return (0.9 * (head + tail)) / Math.max(a.length, b.length, 1);
}
