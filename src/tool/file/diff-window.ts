/** The part of two texts in which they differ, by whole lines, with what a hunk shows around it. */
export interface DiffWindow {
  readonly before: string;
  readonly after: string;
  /** How many lines stand before it, in both. */
  readonly skippedLines: number;
}

/** Cuts off what two texts have in common at either end, but for so many lines: comparing megabytes line by line would hold up everybody. */
export function diffWindow(before: string, after: string, contextLines: number): DiffWindow {
  const common = Math.min(before.length, after.length);
  let start = 0;
  while (start < common && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let tail = 0;
  while (
    tail < common - start &&
    before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)
  )
    tail++;
  const from = backLines(before, start, contextLines);
  const to = before.length - tail;
  const more = forwardLines(before, to, contextLines) - to;
  return {
    before: before.slice(from, to + more),
    after: after.slice(from, after.length - tail + more),
    skippedLines: countLines(before, from),
  };
}

/** The beginning of the line so many lines before the one that a place is in. */
function backLines(text: string, place: number, lines: number): number {
  let at = place;
  for (let left = lines; left >= 0 && at > 0; left--) at = text.lastIndexOf("\n", left === lines ? at - 1 : at - 2) + 1;
  return at;
}

/** The end of the line so many lines after the one that a place is in. */
function forwardLines(text: string, place: number, lines: number): number {
  let at = place;
  for (let left = lines; left >= 0; left--) {
    const end = text.indexOf("\n", at);
    if (end < 0) return text.length;
    at = end + 1;
  }
  return at;
}

function countLines(text: string, end: number): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
