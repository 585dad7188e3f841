import { sep } from "node:path";
import { namesBelow } from "./folder-stack.ts";

/** What some file systems take for the same name: case, forms of Unicode, characters that show nothing, dots and blanks at the end. */
export function foldName(name: string): string {
  if (isAscii(name)) return name.toLowerCase().replace(/[. ]+$/, "");
  return (
    name
      .normalize("NFKC")
      .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
      // There and back: letters with two forms of one case.
      .toLowerCase()
      .toUpperCase()
      .toLowerCase()
      .normalize("NFC")
      .replace(/[. ]+$/, "")
  );
}

/** Most names are, and have one form each but for their case. */
export function isAscii(text: string): boolean {
  return !/\P{ASCII}/u.test(text);
}

/** The names of an absolute path. */
export function namesOf(path: string): string[] {
  return namesBelow(sep, path) ?? [];
}

/** By whole names, folded, never by prefix of text: for refusing, where looking alike is enough. */
export function isBelow(folder: string, path: string): boolean {
  const names = namesOf(path);
  return namesOf(folder).every((name, index) => {
    const given = names[index];
    return given !== undefined && (given === name || foldName(given) === foldName(name));
  });
}

/** By whole names, exactly: for allowing. `path` is canonical; nothing is within no folder. */
export function isWithin(path: string, folder: string): boolean {
  return folder !== "" && path !== "" && namesBelow(folder, path) !== undefined;
}
