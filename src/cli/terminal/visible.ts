/**
 * What a model, a tool or another human wrote must not steer the terminal it is shown on, nor look like something else: control
 * characters, bidirectional marks and invisible characters are shown as what they are. Line feeds and tabs stay.
 */
export function visible(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(HIDDEN, show);
}

/** The same for text that is to stay on one line. */
export function visibleLine(text: string): string {
  return visible(text.replace(/\s*[\r\n]+\s*/g, " ").replaceAll("\t", " "));
}

// Joiners belong to emoji and to scripts that are written joined; anywhere else they are invisible.
const JOINED = String.raw`\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Malayalam}\p{Script=Kannada}\p{Script=Gujarati}\p{Script=Sinhala}\p{Mn}`;
const HIDDEN = new RegExp(
  [
    // Control characters but tab and line feed: C0, DEL, C1.
    String.raw`[\u0000-\u0008\u000B-\u001F\u007F-\u009F]`,
    // Bidirectional marks, embeddings, overrides and isolates.
    String.raw`[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]`,
    // Without width: soft hyphen, spaces, fillers, separators, annotations, tags, spare variation selectors.
    String.raw`[\u00AD\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B\u2028\u2029\u2060-\u2065\u206A-\u206F\u3164\uFEFF\uFFA0\uFFF0-\uFFFB]`,
    String.raw`[\u{1D173}-\u{1D17A}\u{E0000}-\u{E0FFF}]`,
    String.raw`(?<![${JOINED}])[\u200C\u200D]`,
  ].join("|"),
  "gu",
);

function show(hidden: string): string {
  const code = hidden.codePointAt(0) ?? 0;
  // The pictures of control characters: ␛ for escape, ␇ for bell.
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}
