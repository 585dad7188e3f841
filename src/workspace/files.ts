import { type ChangesInTurn, createChangesInTurn } from "./changes-in-turn.ts";
import type { FileRemoval, FileWrite, FoundFile } from "./file-change.ts";
import { pathRefused } from "./path-refused.ts";
import { readAt, readSafely } from "./safe-file.ts";
import { type Access, type PathGuard, type PathSubject, withPath } from "./safe-path.ts";
import { removeSafely, writeSafely } from "./safe-write.ts";
import { type Found, type WalkOptions, walkFiles } from "./walk-files.ts";

/** The files of workspaces. Each path is as the model gave it; each refusal a DomainError `PATH_*` that can be told to it. */
export interface Files {
  /** Where a path leads. Throws where it must not be used for that. */
  locate(workspace: string, given: string, access: Access): Promise<PathSubject>;
  /** Throws also where there is no such file. */
  read(workspace: string, given: string): Promise<FoundFile>;
  /** Undefined where there is no such file yet; throws where it could not be written. */
  findForWriting(workspace: string, given: string): Promise<FoundFile | undefined>;
  write(workspace: string, given: string, write: FileWrite): Promise<void>;
  remove(workspace: string, given: string, removal: FileRemoval): Promise<void>;
  /** What is in a folder and below. An entry is to be used before the next one is asked for. */
  walk(workspace: string, given: string, options: WalkOptions): AsyncGenerator<Found>;
  /** Lets no other change of this workspace come in between: what a change is made from is what it replaces. */
  readonly changeInTurn: ChangesInTurn;
  readonly guard: PathGuard;
}

export function createFiles(guard: PathGuard): Files {
  return {
    guard,
    changeInTurn: createChangesInTurn(),
    locate: (workspace, given, access) =>
      withPath(guard, workspace, { given, access }, async ({ path, given: whole }) => ({ path, given: whole })),
    read: (workspace, given) => readSafely(guard, workspace, given),
    findForWriting: (workspace, given) =>
      withPath(guard, workspace, { given, access: "write" }, async (at) => {
        if (at.last === "") throw pathRefused("PATH_NOT_A_FILE", given, "it is a folder");
        return at.stats === undefined ? undefined : readAt(guard, workspace, at, given);
      }),
    write: (workspace, given, write) => writeSafely(guard, workspace, given, write),
    remove: (workspace, given, removal) => removeSafely(guard, workspace, given, removal),
    walk: (workspace, given, options) => walkFiles(guard, workspace, given, options),
  };
}
