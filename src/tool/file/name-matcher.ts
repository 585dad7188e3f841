import { basename, relative } from "node:path";

/** Longer patterns, and those with more stars, take too long on a name made to fit them almost. */
const MAX_PATTERN_CHARS = 500;
const MAX_STARS = 12;

/** Whether a path below a folder matches. */
export type NameMatcher = (folder: string, path: string) => boolean;

/** A pattern with `/` is held against the whole path below the folder, one without against the name. Throws with a message for the model. */
export async function createNameMatcher(pattern: string): Promise<NameMatcher> {
  if (pattern === "") throw new Error("the pattern is empty; give one such as **/*.ts");
  if (pattern.length > MAX_PATTERN_CHARS) throw new Error(`the pattern has more than ${MAX_PATTERN_CHARS} characters`);
  if ((pattern.match(/\*+/g) ?? []).length > MAX_STARS || /[+*@?!]\(/.test(pattern)) {
    throw new Error(`the pattern is too involved; use at most ${MAX_STARS} stars, and no +( *( @( ?( !(`);
  }
  if (pattern.startsWith("/"))
    throw new Error("the pattern begins with /; it is matched against paths relative to the folder");
  const { default: picomatch } = await import("picomatch");
  const matches = picomatch(pattern, { dot: true, noextglob: true, nonegate: true });
  const isName = !pattern.includes("/");
  return (folder, path) => matches(isName ? basename(path) : relative(folder, path));
}
