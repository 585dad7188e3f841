import { diffOf } from "../tool/file/file-diff.ts";
import { textOf } from "../tool/file/file-text.ts";

/** How a file changed, for people. */
export interface ChangeDiff {
  /** Unified; empty where what was there or what is there is no text, or nothing changed. */
  readonly diff: string;
  readonly addedLines: number;
  readonly removedLines: number;
}

const NO_DIFF: ChangeDiff = { diff: "", addedLines: 0, removedLines: 0 };

/** Undefined = there is no file. */
export async function diffOfChange(
  path: string,
  before: Buffer | undefined,
  after: Buffer | undefined,
): Promise<ChangeDiff> {
  const [from, to] = [before, after].map((bytes) => (bytes === undefined ? undefined : textOf(bytes)));
  const isText = (from !== undefined || before === undefined) && (to !== undefined || after === undefined);
  return isText ? countLines(await diffOf(path, from, to)) : NO_DIFF;
}

/** The two lines with the names are none of the file's. */
function countLines(diff: string): ChangeDiff {
  let addedLines = 0;
  let removedLines = 0;
  const bodyAt = diff.indexOf("\n@@ ") + 1;
  for (let at = bodyAt; at > 0 && at < diff.length; at = diff.indexOf("\n", at) + 1) {
    if (diff[at] === "+") addedLines++;
    else if (diff[at] === "-") removedLines++;
  }
  return { diff, addedLines, removedLines };
}
