/** Longer texts that have little in common are shown as all removed and all added: finding the least difference takes too long. */
const MAX_DIFF_MS = 100;

/** Undefined = no such file. */
export type Text = string | undefined;

/** A unified diff of one file, as `git apply` takes it; empty where nothing changes. */
export async function diffOf(path: string, before: Text, after: Text): Promise<string> {
  if (before === after) return "";
  const { createTwoFilesPatch } = await import("diff");
  const from = before === undefined ? "/dev/null" : quoted(`a/${path}`);
  const to = after === undefined ? "/dev/null" : quoted(`b/${path}`);
  const options = { context: 3, timeout: MAX_DIFF_MS };
  const patch = createTwoFilesPatch("a", "b", before ?? "", after ?? "", undefined, undefined, options);
  const hunks = patch === undefined ? replaceAll(before ?? "", after ?? "") : hunksOf(patch);
  return `--- ${from}\n+++ ${to}\n${hunks}`;
}

/** Without the lines before them, which the library writes otherwise; a file that is empty has none. */
function hunksOf(patch: string): string {
  const at = patch.indexOf("\n@@ ");
  return at < 0 ? "" : patch.slice(at + 1);
}

/** Of a file that is not text. */
export function binaryDiff(path: string): string {
  return `Binary files ${quoted(`a/${path}`)} and ${quoted(`b/${path}`)} differ\n`;
}

/** As git writes names that would look like something else: with what shows nothing, or ends the line. */
function quoted(name: string): string {
  if (!/["\\\p{Cc}\p{Default_Ignorable_Code_Point}\u2028\u2029]/u.test(name)) return name;
  const bytes = [...Buffer.from(name)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === '"' || character === "\\") return `\\${character}`;
    return byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  });
  return `"${bytes.join("")}"`;
}

function replaceAll(before: string, after: string): string {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  return `@@ -${rangeOf(old)} +${rangeOf(fresh)} @@\n${marked("-", old, before)}${marked("+", fresh, after)}`;
}

function rangeOf({ length }: readonly string[]): string {
  return `${length === 0 ? 0 : 1},${length}`;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

function marked(sign: string, lines: readonly string[], text: string): string {
  const body = lines.map((line) => `${sign}${line}\n`).join("");
  return lines.length === 0 || text.endsWith("\n") ? body : `${body}\\ No newline at end of file\n`;
}
