/** The longest that a title made by the engine is, in UTF-16 units. */
export const MAX_TITLE = 80;

/** What a session is called that nothing better is known of: the first words that were said. Empty where there are none. */
export function firstWords(text: string): string {
  return shorten(oneLine(text), MAX_TITLE);
}

/** What a model answered, as a title: one line, without quotes and marks around it. Empty where nothing is left. */
export function cleanTitle(answer: string): string {
  const line = answer.split(/[\r\n\u2028\u2029]+/).find((part) => bare(part) !== "") ?? "";
  return shorten(bare(line), MAX_TITLE);
}

/** Models write Markdown, say what they are about to say, and quote it. */
function bare(line: string): string {
  const unmarked = oneLine(line)
    .replace(/^[#>*_`\s-]+|[*_`\s]+$/g, "")
    .replace(/^title\s*:\s*/i, "")
    .replace(/^[*_`\s]+/, "");
  // Quotes around all of it, not those of its first and its last word.
  const unquoted = unmarked.replace(/^["'“”„«‹‘’「『]+([^"“”„«»「」『』]*)["'“”»›‘’」』]+[.。]?$/u, "$1").trim();
  return unquoted.replace(/(?<![.。])[.。]$/, "").trim();
}

/** On one line, without what cannot be seen or turns the direction of text. */
function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replace(/[\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** Cut between words where that leaves most of it, and never within a character as people see it. */
function shorten(text: string, max: number): string {
  if (text.length <= max) return text;
  let end = 0;
  for (const { index, segment } of new Intl.Segmenter().segment(text.slice(0, 2 * max))) {
    if (index + segment.length >= max) break;
    end = index + segment.length;
  }
  const cut = text.slice(0, end);
  const lastSpace = cut.lastIndexOf(" ");
  const isMidWord = text[end] !== " ";
  return `${(isMidWord && lastSpace > max / 2 ? cut.slice(0, lastSpace) : cut).trimEnd()}…`;
}
