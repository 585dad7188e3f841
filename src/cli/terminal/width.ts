const WIDE =
  /\p{Emoji_Presentation}|\uFE0F|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6]/u;

let graphemes: Intl.Segmenter | undefined;

/** What a reader sees as one character, with the columns of a terminal that it takes. */
export function* cells(text: string): Generator<{ readonly text: string; readonly width: number }> {
  // Most text is this, and a segmenter takes a hundred times as long.
  if (/^[\u0020-\u007E]*$/.test(text)) {
    for (const char of text) yield { text: char, width: 1 };
    return;
  }
  graphemes ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  for (const { segment } of graphemes.segment(text)) yield { text: segment, width: WIDE.test(segment) ? 2 : 1 };
}

/** How many columns of a terminal a line takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const cell of cells(text)) width += cell.width;
  return width;
}

/** Cuts a line that is too wide, and says so with an ellipsis. */
export function shorten(text: string, maxWidth: number): string {
  // No character is wider than its UTF-16 units but for CJK, which is 2.
  if (text.length * 2 <= maxWidth) return text;
  let kept = "";
  let width = 0;
  for (const cell of cells(text)) {
    width += cell.width;
    if (width > maxWidth) return `${cutTo(kept, maxWidth - 1).trimEnd()}…`;
    kept += cell.text;
  }
  return text;
}

function cutTo(text: string, maxWidth: number): string {
  let kept = "";
  let width = 0;
  for (const cell of cells(text)) {
    width += cell.width;
    if (width > maxWidth) break;
    kept += cell.text;
  }
  return kept;
}
