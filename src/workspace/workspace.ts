import { realpath, stat } from "node:fs/promises";
import { isAbsolute, normalize } from "node:path";
import { DomainError } from "../errors.ts";

/** A folder that sessions may touch, and what is known of it. */
export interface Workspace {
  /** Absolute and without links. */
  readonly path: string;
  /** Whether a human has said that what its files tell an agent or start may be believed. */
  readonly trusted: boolean;
  readonly sessionCount: number;
  /** When it was first seen. */
  readonly createTimeMs: number;
  /** When a session of it last changed; undefined = it has none. */
  readonly useTimeMs: number | undefined;
}

/**
 * The canonical path of a folder: symbolic links resolved, so that one folder has one name. Throws DomainError
 * `INVALID_WORKSPACE` where there is no such folder, or the engine may not look at it.
 */
export async function resolveWorkspace(path: string, field = "workspace"): Promise<string> {
  checkAbsolute(path, field);
  const canonical = await realpath(path).catch((error: unknown) => refuse(error, field));
  const { isDirectory } = await stat(canonical).then(
    (found) => ({ isDirectory: found.isDirectory() }),
    (error: unknown) => refuse(error, field),
  );
  if (!isDirectory) throw invalidWorkspace("it is not a folder; name a folder", field);
  return canonical;
}

/** The same for asking what belongs to a folder, which may be gone by now: then its path counts as it is. */
export async function canonicalWorkspace(path: string, field = "workspace"): Promise<string> {
  checkAbsolute(path, field);
  return realpath(path).catch(() => normalize(path).replace(/(?<=.)\/+$/, ""));
}

function checkAbsolute(path: string, field: string): void {
  if (!isAbsolute(path)) throw invalidWorkspace("it is not an absolute path; give the whole path of a folder", field);
  if (path.includes("\0")) throw invalidWorkspace("it holds a NUL character; give the path of a folder", field);
}

function refuse(error: unknown, field: string): never {
  const { code = "" } = error as NodeJS.ErrnoException;
  const isMissing = code === "ENOENT" || code === "ENOTDIR";
  const why = isMissing
    ? "there is no such folder; make it first"
    : `the engine cannot look at it (${code || "unknown"})`;
  throw invalidWorkspace(why, field, error);
}

function invalidWorkspace(why: string, field: string, cause?: unknown): DomainError {
  return new DomainError("invalid", "INVALID_WORKSPACE", `${field}: ${why}`, { field }, { cause });
}
