import type { BlobStore } from "../blob/blob-store.ts";
import { readBytes } from "../blob/read-bytes.ts";
import { DomainError } from "../errors.ts";
import type { AroundChange, FoundFile } from "../workspace/file-change.ts";
import type { Files } from "../workspace/files.ts";
import { hasReason, pathRefused } from "../workspace/path-refused.ts";
import { diffOfChange } from "./change-diff.ts";
import type { FoldedChange } from "./fold-changes.ts";
import { hashOf } from "./keep-changes.ts";
import type { RevertedFile, RevertOutcome } from "./revert.ts";

export interface RevertFileDeps {
  readonly files: Files;
  readonly blobs: Pick<BlobStore, "read">;
}

/** Takes one file back, where it is as it was left; `isPreview`: says what it would do. What is refused is told, not thrown. */
export async function revertFile(
  deps: RevertFileDeps,
  workspace: string,
  change: FoldedChange,
  isPreview: boolean,
): Promise<RevertedFile> {
  try {
    const found = await find(deps.files, workspace, change.path);
    const outcome = outcomeOf(change, found);
    if (outcome !== "reverted") return fileOf(change, outcome);
    const before = change.beforeSha256 === "" ? undefined : await readBefore(deps, change);
    if (!isPreview) await put(deps.files, workspace, change, before);
    return { ...fileOf(change, outcome), ...(await diffOfChange(change.path, found?.bytes, before)) };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    if (hasReason(error, "PATH_CHANGED")) return fileOf(change, "not_as_left");
    return { ...fileOf(change, "refused"), message: error.message };
  }
}

function fileOf({ path }: FoldedChange, outcome: RevertOutcome): RevertedFile {
  return { path, outcome, diff: "", addedLines: 0, removedLines: 0, message: "" };
}

function outcomeOf({ left, beforeSha256 }: FoldedChange, found: FoundFile | undefined): RevertOutcome {
  const now = stateOf(found);
  if (now === beforeSha256) return "as_before";
  if (left.has(now)) return "reverted";
  if (left.size === 0) return "changed_between";
  return found === undefined ? "gone" : "not_as_left";
}

/** The hash of what is there; empty = nothing. */
function stateOf(found: FoundFile | undefined): string {
  return found === undefined ? "" : hashOf(found.bytes);
}

/** Throws `PATH_CHANGED` where the path leads to something else than a file of that place by now. */
async function find(files: Files, workspace: string, path: string): Promise<FoundFile | undefined> {
  try {
    const { path: canonical } = await files.locate(workspace, path, "write");
    if (canonical !== `${workspace}/${path}`) throw changed(path);
    return await files.findForWriting(workspace, path);
  } catch (error) {
    const isOther = (["PATH_NOT_A_FILE", "PATH_NOT_A_FOLDER", "PATH_TOO_LARGE"] as const).some((reason) =>
      hasReason(error, reason),
    );
    throw isOther ? changed(path) : error;
  }
}

function changed(path: string): DomainError {
  return pathRefused("PATH_CHANGED", path, "somebody changed it since");
}

/** Looks once more, at what is replaced in that very step. */
function put(files: Files, workspace: string, change: FoldedChange, before: Buffer | undefined): Promise<void> {
  const { path, left, beforeMode, newFolders } = change;
  const check = (found: FoundFile | undefined): void => {
    if (!left.has(stateOf(found))) throw changed(path);
  };
  const around: AroundChange = (what, make) => {
    if (what.path !== path) throw changed(path);
    return make();
  };
  if (before === undefined) return files.remove(workspace, path, { around, check, folders: newFolders });
  const make = (found: FoundFile | undefined): Buffer => {
    check(found);
    return before;
  };
  return files.write(workspace, path, { make, around, mode: beforeMode });
}

async function readBefore({ blobs }: RevertFileDeps, { path, beforeSha256 }: FoldedChange): Promise<Buffer> {
  try {
    return await readBytes(blobs, { sha256: beforeSha256 });
  } catch (error) {
    if (!(error instanceof DomainError && error.reason === "BLOB_NOT_FOUND")) throw error;
    throw pathRefused("PATH_NOT_FOUND", path, "what was in it before is not kept any more", error);
  }
}
