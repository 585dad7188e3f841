import type { Output } from "../output.ts";

/** How wide a tab is drawn, so that what stands behind it has a place. */
const TAB = "    ";
const HUNK = /^@@ -\d+(?:,(?<before>\d+))? \+\d+(?:,(?<after>\d+))? @@/;

/**
 * A unified diff as lines with colours: what is added green, what is removed red. What it changes is text of others: controls
 * and invisible characters in it are shown. `hidesNames` = the names of files stand elsewhere.
 */
export function diffLines({ style, foreign }: Output, diff: string, hidesNames = false): string[] {
  // How many lines of the hunk are still to come: in it, a removed line may look like the name of a file.
  let before = 0;
  let after = 0;
  return diff
    .replace(/\n$/, "")
    .split("\n")
    .flatMap((line) => {
      const text = foreign(line.replaceAll("\t", TAB));
      const hunk = HUNK.exec(line)?.groups;
      if (before + after <= 0 && hunk !== undefined) {
        before = Number(hunk["before"] ?? 1);
        after = Number(hunk["after"] ?? 1);
        return [style.cyan(text)];
      }
      if (before + after <= 0 && !line.startsWith("\\")) {
        return hidesNames && /^(?:---|\+\+\+) /.test(line) ? [] : [style.bold(text)];
      }
      if (!line.startsWith("+") && !line.startsWith("\\")) before--;
      if (!line.startsWith("-") && !line.startsWith("\\")) after--;
      if (line.startsWith("+")) return [style.green(text)];
      return [line.startsWith("-") ? style.red(text) : style.dim(text)];
    });
}
