import { DomainError, type ErrorCode } from "../errors.ts";

export type PathReason =
  | "PATH_INVALID"
  | "PATH_OUTSIDE"
  | "PATH_PROTECTED"
  | "PATH_NOT_FOUND"
  | "PATH_EXISTS"
  | "PATH_NOT_A_FILE"
  | "PATH_NOT_A_FOLDER"
  | "PATH_TOO_LARGE"
  | "PATH_CHANGED"
  | "PATH_FAILED"
  | "PATHS_UNSUPPORTED";

const CODES: Readonly<Record<PathReason, ErrorCode>> = {
  PATH_INVALID: "invalid",
  PATH_OUTSIDE: "denied",
  PATH_PROTECTED: "denied",
  PATH_NOT_FOUND: "not_found",
  PATH_EXISTS: "precondition",
  PATH_NOT_A_FILE: "precondition",
  PATH_NOT_A_FOLDER: "precondition",
  PATH_TOO_LARGE: "out_of_range",
  PATH_CHANGED: "precondition",
  PATH_FAILED: "unavailable",
  PATHS_UNSUPPORTED: "unavailable",
};

/** A refusal of a path, told to the model as it is: the path is the one that the model gave, shortened and with nothing invisible in it. */
export function pathRefused(reason: PathReason, given: string, why: string, cause?: unknown): DomainError {
  return new DomainError(CODES[reason], reason, `${showPath(given)}: ${why}`, {}, { cause });
}

function showPath(path: string): string {
  const short = path.length > 300 ? `${path.slice(0, 300).toWellFormed()}...` : path;
  // Escapes what JSON leaves as it is, and what would turn the text around it.
  return JSON.stringify(short)
    .slice(1, -1)
    .replace(
      /[\u007f-\u009f\p{Default_Ignorable_Code_Point}]/gu,
      (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`,
    );
}

export function hasReason(error: unknown, reason: PathReason): boolean {
  return error instanceof DomainError && error.reason === reason;
}

/** What the system said of a path, in words; what anyone else said stays as it is. */
export function systemRefusal(error: unknown, given: string): unknown {
  if (!isSystemError(error)) return error;
  const { code = "unknown" } = error;
  if (code === "ENOENT") return pathRefused("PATH_NOT_FOUND", given, "there is no such file or folder", error);
  if (code === "ENOTDIR") return pathRefused("PATH_NOT_A_FOLDER", given, "a part of this path is no folder", error);
  if (code === "EISDIR") return pathRefused("PATH_NOT_A_FILE", given, "it is a folder", error);
  if (code === "ENAMETOOLONG") return pathRefused("PATH_INVALID", given, "a name in it is too long", error);
  // A link where none was a moment ago: somebody swaps them.
  if (code === "ELOOP")
    return pathRefused("PATH_CHANGED", given, "it changed while it was looked at; try again", error);
  if (code === "EACCES" || code === "EPERM") {
    return pathRefused("PATH_FAILED", given, `the engine may not do that here (${code})`, error);
  }
  if (code === "ENOSPC") return pathRefused("PATH_FAILED", given, "the disk is full", error);
  return pathRefused("PATH_FAILED", given, `the system refused (${code})`, error);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "errno" in error && "syscall" in error;
}
