import { expect, test } from "vitest";
import { foldName, isBelow } from "./path-names.ts";

/** It shows nothing, and takes a name the long way. */
const SOFT_HYPHEN = "\u00ad";

test("names of ASCII are folded as all others are", () => {
  for (let code = 0; code < 0x80; code++) {
    const name = `A${String.fromCharCode(code)}z. `;
    expect(foldName(name)).toBe(foldName(name + SOFT_HYPHEN));
  }
});

test.each([
  ["/data", "/data", true],
  ["/data", "/data/parley.db", true],
  ["/data", "/DATA/./parley.db", true],
  ["/data", "/da\u00adta/parley.db", true],
  ["/straße", "/STRASSE/x", true],
  ["/", "/any", true],
  ["/data", "/database", false],
  ["/data", "/other/data", false],
  ["/data/own", "/data", false],
])("below %j lies %j: %j", (folder, path, isIt) => {
  expect(isBelow(folder, path)).toBe(isIt);
});
