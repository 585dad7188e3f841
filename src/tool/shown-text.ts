/**
 * What a reader cannot see, a model reads: control characters but tab and line feed, bidirectional marks, tags, fillers and
 * characters without width. Soft hyphens only say where a word may be broken. Joiners inside of a word or an emoji belong to
 * it, and so does one variation selector; a second one carries something else.
 */
const HIDDEN = new RegExp(
  [
    String.raw`[[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB]--[\t\n\u200C\u200D\uFE00-\uFE0F]]`,
    String.raw`(?<![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])[\u200C\u200D]`,
    String.raw`(?<=^|[\s\uFE00-\uFE0F])[\uFE00-\uFE0F]`,
  ].join("|"),
  "gv",
);

/** Text from outside with what is invisible in it shown as what it is: `<U+200B>`. */
export function showHidden(text: string): string {
  return text.replaceAll("\u00AD", "").replace(HIDDEN, (hidden) => {
    const code = hidden.codePointAt(0) ?? 0;
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}
