import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NEXT_REVISION } from "./revision.ts";

const src = join(import.meta.dirname, "..");

// A statement of one's own would give out a revision of which nobody is told.
test("revisions are given out by one statement, which says so", () => {
  expect(NEXT_REVISION.bumpsRevision).toBe(true);
  const givers = globSync("**/*.ts", { cwd: src }).filter((file) => {
    const text = readFileSync(join(src, file), "utf8");
    return !file.endsWith(".test.ts") && /UPDATE\s+engine_revision\s+SET\s+value/i.test(text);
  });
  expect(givers).toEqual(["store/revision.ts"]);
});
