/**
 * Whether a path is one of a glob: `*` and `?` stand for what is in one name, `**` as a whole name for any number of names,
 * a slash at the end for what lies under a folder. Takes time proportional to pattern and path, whatever the pattern.
 */
export function matchesGlob(pattern: string, path: string): boolean {
  return matchesNames(namesOfGlob(pattern), namesOfPath(path));
}

/** What a glob is matched by, for who holds many paths against it. */
export function namesOfGlob(pattern: string): readonly string[] {
  return namesOfPath(pattern.endsWith("/") ? `${pattern}**` : pattern);
}

/** What a path is matched by, for who holds it against many globs. */
export function namesOfPath(path: string): readonly string[] {
  return path.split("/").filter(isName);
}

/** As `matchesGlob`, of a glob's names and a path's. */
export function matchesNames(wanted: readonly string[], given: readonly string[]): boolean {
  return matchesList(wanted, given, (name) => name === "**", matchesName);
}

function isName(text: string): boolean {
  return text !== "" && text !== ".";
}

/** Whether one name is one of a glob without slashes. */
export function matchesName(wanted: string, name: string): boolean {
  // Most names are plain, and most paths are told apart by their first ones.
  if (wanted === name) return true;
  if (!wanted.includes("*") && !wanted.includes("?")) return false;
  return matchesList(
    Array.from(wanted),
    Array.from(name),
    (sign) => sign === "*",
    (sign, char) => sign === "?" || sign === char,
  );
}

/** Wildcards over a list: each `isAny` takes as little as it can, and one more where what follows it does not fit. */
function matchesList(
  wanted: readonly string[],
  given: readonly string[],
  isAny: (item: string) => boolean,
  isSame: (wanted: string, given: string) => boolean,
): boolean {
  let w = 0;
  let g = 0;
  let lastAny = -1;
  let taken = 0;
  while (g < given.length) {
    const next = wanted[w];
    if (next !== undefined && isAny(next)) {
      lastAny = w++;
      taken = g;
    } else if (next !== undefined && isSame(next, given[g] ?? "")) {
      w++;
      g++;
    } else if (lastAny >= 0) {
      w = lastAny + 1;
      g = ++taken;
    } else {
      return false;
    }
  }
  return wanted.slice(w).every(isAny);
}
