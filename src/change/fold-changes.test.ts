import { expect, test } from "vitest";
import type { KeptChange } from "./file-change.ts";
import { foldChanges } from "./fold-changes.ts";

let ids = 0;
function change(path: string, beforeSha256: string, afterSha256: string, more: Partial<KeptChange> = {}): KeptChange {
  const beforeMode = beforeSha256 === "" ? undefined : 0o644;
  return {
    id: `chg_${++ids}`,
    sessionId: "ses_1",
    turnId: "turn_1",
    path,
    beforeSha256,
    beforeMode,
    afterSha256,
    newFolders: 0,
    isMade: true,
    ...more,
  };
}

test("changes of a file that follow one another are one, and what was changed last comes first", () => {
  const folded = foldChanges([change("a", "0", "1"), change("b", "", "1"), change("a", "1", "2")]);
  expect(folded).toMatchObject([
    { path: "b", beforeSha256: "", left: new Set(["1"]) },
    { path: "a", beforeSha256: "0", left: new Set(["2"]) },
  ]);
  expect(folded[1]?.changes).toHaveLength(2);
});

test("one that may not have happened leaves both, and what follows either of them follows", () => {
  const cut = change("a", "0", "1", { isMade: false });
  expect(foldChanges([cut])).toMatchObject([{ left: new Set(["0", "1"]) }]);
  expect(foldChanges([cut, change("a", "0", "2")])).toMatchObject([{ left: new Set(["2"]) }]);
  expect(foldChanges([cut, change("a", "1", "2")])).toMatchObject([{ left: new Set(["2"]) }]);
});

test("a file that somebody else changed in between is left, whatever follows", () => {
  const folded = foldChanges([change("a", "0", "1"), change("a", "other", "2"), change("a", "2", "3")]);
  expect(folded).toMatchObject([{ beforeSha256: "0", left: new Set() }]);
});
