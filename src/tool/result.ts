/** The most of a result that the model is told, in characters. */
export const MAX_RESULT_CHARS = 64 * 1024;

/** A result as the model is told it, and all of it where that was too long. */
export interface CutResult {
  readonly text: string;
  /** All of it, to be kept as a file; undefined where nothing was cut. */
  readonly whole: Buffer | undefined;
}

/** Of a result that is too long for a message, its head and its tail: what went wrong mostly stands at the end. */
export function cutResult(text: string, maxChars = MAX_RESULT_CHARS): CutResult {
  const whole = text.toWellFormed();
  if (whole.length <= maxChars) return { text: whole, whole: undefined };
  const half = Math.floor(maxChars / 2);
  const head = trimHalf(whole.slice(0, half));
  const tail = trimHalf(whole.slice(-half));
  const left = whole.length - head.length - tail.length;
  return {
    text: `${head}\n[cut: ${left} of ${whole.length} characters are not shown]\n${tail}`,
    whole: Buffer.from(whole, "utf8"),
  };
}

/** Halves of characters at either end are left out. */
function trimHalf(text: string): string {
  return text
    .replace(/[\uD800-\uDBFF]$/, (half, at: number) => (isPaired(text, at) ? half : ""))
    .replace(/^[\uDC00-\uDFFF]/, "");
}

function isPaired(text: string, at: number): boolean {
  return /^[\uDC00-\uDFFF]/.test(text.slice(at + 1));
}
