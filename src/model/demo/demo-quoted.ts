const QUOTED = String.raw`${"`[^`]+`"}|"[^"]+"|“[^”]+”|'[^']+'`;
const LAST = String.raw`(?:it|(?:that|the|this) file)\b(?!\w*[./]\w)`;
const PATH = String.raw`[^\s,;:!?"']*[\w)\]-][./][^\s,;:!?"']*|\.[^\s,;:!?"']+|(?:README|LICENSE|CHANGELOG|Makefile|Dockerfile)\b`;

/** A file: quoted, or a word that looks like its name; "it" and "the file" mean the one that was spoken of last. */
export const file = (name: string): string =>
  String.raw`(?:(?:the )?file )?(?:(?:named|called) )?(?<${name}>${QUOTED}|${LAST}|${PATH})`;

/** Something in quotes, or words up to what follows it. */
export const words = (name: string): string => String.raw`(?<${name}>${"`[^`]+`"}|"[^"]*"|“[^”]*”|'[^']*'|.+?)`;

const QUOTES =
  /^(?:```\w*\n?(?<fenced>[^]*?)\n?```|`(?<code>[^`]*)`|"(?<double>[^"]*)"|“(?<curly>[^”]*)”|'(?<single>[^']*)')$/;

/** What is meant: without its quotes, or without what ends a sentence. */
export function unquote(given: string): string {
  const text = given.trim();
  const quoted = QUOTES.exec(text)?.groups;
  if (quoted !== undefined) return Object.values(quoted).find((inner) => inner !== undefined) ?? "";
  // Of several lines, or what somebody calls out, nothing is taken away.
  return text.includes("\n") ? text : text.replace(/(?<=[^\s.!?])\.$/, "");
}

/** The file that a name stands for; undefined where it stands for one that nobody has spoken of. */
export function toFile(given: string, last: string | undefined): string | undefined {
  if (/^(?:it|(?:that|the|this) file)$/i.test(given)) return last;
  return unquote(given).replace(/\.$/, "") || undefined;
}
