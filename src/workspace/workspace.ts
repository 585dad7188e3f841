import { realpath, stat } from "node:fs/promises";
import { isAbsolute, normalize } from "node:path";
import { DomainError } from "../errors.ts";

/**
 * The canonical path of a folder: symbolic links resolved, so that one folder has one name. Throws DomainError
 * `INVALID_WORKSPACE` where there is no such folder, or the engine may not look at it.
 */
export async function resolveWorkspace(path: string): Promise<string> {
  checkAbsolute(path);
  const canonical = await realpath(path).catch((error: unknown) => refuse(error));
  const { isDirectory } = await stat(canonical).then(
    (found) => ({ isDirectory: found.isDirectory() }),
    (error: unknown) => refuse(error),
  );
  if (!isDirectory) throw invalidWorkspace("it is not a folder; name a folder");
  return canonical;
}

/** The same for asking what belongs to a folder, which may be gone by now: then its path counts as it is. */
export async function canonicalWorkspace(path: string): Promise<string> {
  checkAbsolute(path);
  return realpath(path).catch(() => normalize(path).replace(/(?<=.)\/+$/, ""));
}

function checkAbsolute(path: string): void {
  if (!isAbsolute(path)) throw invalidWorkspace("it is not an absolute path; give the whole path of a folder");
  if (path.includes("\0")) throw invalidWorkspace("it holds a NUL character; give the path of a folder");
}

function refuse(error: unknown): never {
  const { code = "" } = error as NodeJS.ErrnoException;
  const isMissing = code === "ENOENT" || code === "ENOTDIR";
  const why = isMissing
    ? "there is no such folder; make it first"
    : `the engine cannot look at it (${code || "unknown"})`;
  throw invalidWorkspace(why, error);
}

function invalidWorkspace(why: string, cause?: unknown): DomainError {
  return new DomainError("invalid", "INVALID_WORKSPACE", `workspace: ${why}`, { field: "workspace" }, { cause });
}
