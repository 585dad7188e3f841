import type { StructuredPatch } from "diff";

/** What a patch does to one file. */
export interface FilePatch {
  /** Where the file is before; undefined = it is made. */
  readonly from: string | undefined;
  /** Where it is after; undefined = it is removed. */
  readonly to: string | undefined;
  /** Its new text. Throws with a message for the model where the patch does not fit. */
  apply(before: string): string;
}

const MAX_FILES = 100;

/** Reads a unified diff, also as git writes it. Throws with a message for the model. */
export async function readPatch(text: string): Promise<readonly FilePatch[]> {
  const { applyPatch, parsePatch } = await import("diff");
  const patches = parse(() => parsePatch(text)).filter(({ hunks, isRename }) => hunks.length > 0 || isRename === true);
  if (patches.length === 0)
    throw new Error("the patch changes nothing; give a unified diff with --- and +++ lines and hunks");
  if (patches.length > MAX_FILES)
    throw new Error(`the patch changes ${patches.length} files; at most ${MAX_FILES} are changed at once`);
  return patches.map((patch) => {
    const { from, to } = namesOf(patch);
    const apply = (before: string): string => {
      const after = applyPatch(before, patch, { fuzzFactor: 0, autoConvertLineEndings: true });
      if (after !== false) return after;
      throw new Error(
        `${from ?? to ?? ""}: the patch does not fit this file; read it again, and give its lines exactly`,
      );
    };
    return { from, to, apply };
  });
}

function parse(read: () => StructuredPatch[]): StructuredPatch[] {
  try {
    return read();
  } catch (error) {
    throw new Error(`the patch is no unified diff: ${(error as Error).message.slice(0, 300)}`, { cause: error });
  }
}

function namesOf({ oldFileName = "", newFileName = "", isGit }: StructuredPatch) {
  // `a/` and `b/` are git's, unless only one of the names has them: then it is a folder's name.
  const hasPrefixes = [oldFileName.replace(/^a\//, ""), newFileName.replace(/^b\//, "")].every(
    (name, index) => name !== [oldFileName, newFileName][index] || name === "/dev/null",
  );
  const strip = hasPrefixes || isGit === true ? (name: string) => name.replace(/^[ab]\//, "") : (name: string) => name;
  const from = oldFileName === "/dev/null" ? undefined : strip(oldFileName);
  const to = newFileName === "/dev/null" ? undefined : strip(newFileName);
  if (from === "" || to === "" || (from === undefined && to === undefined)) {
    throw new Error(
      "the patch names no file; begin each file with --- a/PATH and +++ b/PATH (/dev/null where there is none)",
    );
  }
  return { from, to };
}
