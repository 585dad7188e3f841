/** Longer texts that have little in common are shown as all removed and all added: finding the least difference takes too long. */
const MAX_DIFF_MS = 100;

/** Undefined = no such file. */
export type Text = string | undefined;

/** A unified diff of one file, as `git apply` takes it; empty where nothing changes. */
export async function diffOf(path: string, before: Text, after: Text): Promise<string> {
  if (before === after) return "";
  const { createTwoFilesPatch } = await import("diff");
  const [from, to] = [
    before === undefined ? "/dev/null" : `a/${path}`,
    after === undefined ? "/dev/null" : `b/${path}`,
  ];
  const options = { context: 3, timeout: MAX_DIFF_MS };
  const patch = createTwoFilesPatch(from, to, before ?? "", after ?? "", undefined, undefined, options);
  return patch === undefined ? replaceAll(from, to, before ?? "", after ?? "") : withoutRuler(patch);
}

/** Of a file that is not text. */
export function binaryDiff(path: string): string {
  return `Binary files a/${path} and b/${path} differ\n`;
}

/** The library begins with a line of `=`, which tools that read diffs do not want. */
function withoutRuler(patch: string): string {
  return patch.replace(/^=+\n/, "").replace(/^(---|\+\+\+) (.*?)\t?$/gm, "$1 $2");
}

function replaceAll(from: string, to: string, before: string, after: string): string {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  const header = `--- ${from}\n+++ ${to}\n@@ -${rangeOf(old)} +${rangeOf(fresh)} @@\n`;
  return header + marked("-", old, before) + marked("+", fresh, after);
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
