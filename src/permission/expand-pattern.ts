import { readdirSync, type Dirent } from "node:fs";
import { matchesName } from "./glob.ts";

/** What a shell may make of a word, as far as it can matter to a rule. */
export interface Expansion {
  /** Absolute. Of plain files of one folder one stands for all, but for names that a dot begins. */
  readonly paths: readonly string[];
  /** False: there is more than was looked at. */
  readonly isWhole: boolean;
}

/** So many names are looked at for one word, and so many words made of its braces. */
const MAX_NAMES = 20_000;
const MAX_WORDS = 64;
const MAX_FOUND = 400;

const GLOB = /[*?[]/;

/** Whether a shell may make other names of it. */
export function isPattern(word: string): boolean {
  return GLOB.test(word) || word.includes("{");
}

/** The files that are there for a word with `*`, `?`, `[...]` or `{a,b}` in it, rather too many than too few; `folder` is absolute. */
export function expandPattern(word: string, folder: string): Expansion {
  const words = expandBraces(word);
  const search = { namesLeft: MAX_NAMES, isWhole: words.length <= MAX_WORDS };
  const paths = words.slice(0, MAX_WORDS).flatMap((one) => findAll(one, folder, search));
  return { paths: paths.slice(0, MAX_FOUND), isWhole: search.isWhole && paths.length <= MAX_FOUND };
}

function findAll(word: string, folder: string, search: { namesLeft: number; isWhole: boolean }): string[] {
  const names = word.split("/");
  let found = [word.startsWith("/") ? "/" : folder];
  for (const [at, wanted] of names.entries()) {
    if (wanted === "") continue;
    // Not by join: `..` after a link is the folder above the one that it leads to.
    if (!GLOB.test(wanted)) found = found.map((path) => `${path}/${wanted}`);
    else found = found.flatMap((path) => findIn(path, wanted, at === names.length - 1, search));
    if (found.length > MAX_FOUND) search.isWhole = false;
    found = found.slice(0, MAX_FOUND + 1);
  }
  return found;
}

function findIn(
  folder: string,
  wanted: string,
  isLast: boolean,
  search: { namesLeft: number; isWhole: boolean },
): string[] {
  const entries = readFolder(folder);
  search.namesLeft -= entries.length;
  if (search.namesLeft < 0) {
    search.isWhole = false;
    return [];
  }
  // What stands in brackets is any sign here.
  const glob = wanted.replaceAll(/\[[!^]?\]?(?:\[[:.=]\w+[:.=]\]|[^\]])*\]/g, "?");
  const mayBeHidden = glob.startsWith(".");
  const fitting = entries.filter(({ name }) => (mayBeHidden || !name.startsWith(".")) && matchesName(glob, name));
  const plain = fitting.filter(isPlain);
  const others = fitting.filter((entry) => !isPlain(entry));
  return (isLast ? [...plain.slice(0, 1), ...others] : others).map(({ name }) => `${folder}/${name}`);
}

/** Of these one in a folder is as good as another: it is no link, and its name is protected nowhere. */
function isPlain(entry: Dirent): boolean {
  return entry.isFile() && !/^(?:\.|config|attributes)/i.test(entry.name);
}

function readFolder(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // Where nothing can be listed, the shell finds nothing either.
    if (typeof (error as NodeJS.ErrnoException).code === "string") return [];
    throw error;
  }
}

/** The words of `a{b,c}d`; more than `MAX_WORDS` where there are more. */
function expandBraces(word: string): string[] {
  const words: string[] = [];
  const left = [word];
  for (let next = left.pop(); next !== undefined && words.length <= MAX_WORDS; next = left.pop()) {
    const whole = next;
    const [inner = ""] = /\{[^{}]*(?:,|\.\.)[^{}]*\}/.exec(whole) ?? [];
    if (inner === "") words.push(whole);
    else left.push(...choicesOf(inner.slice(1, -1)).map((choice) => whole.replace(inner, () => choice)));
  }
  return words;
}

function choicesOf(inner: string): string[] {
  if (inner.includes(",")) return inner.split(",");
  const [, from, to] = /^([a-z])\.\.([a-z])(?:\.\.|$)/i.exec(inner) ?? [];
  // Numbers: no name that is protected holds one.
  if (from === undefined || to === undefined) return ["0"];
  const [low = 0, high = 0] = [from, to].map((sign) => sign.charCodeAt(0)).toSorted((a, b) => a - b);
  return Array.from({ length: high - low + 1 }, (_, i) => String.fromCharCode(low + i));
}
