import { expect, test } from "vitest";
import { editKillFigures, runEditKill } from "./edit-kill.ts";
import { missed } from "./figure.ts";

test("what a turn did to files can be taken back, wherever its engine was killed", async () => {
  const result = await runEditKill(4, "write_file");
  // How many files were changed by then is a matter of chance in so few lives.
  expect(missed(editKillFigures({ ...result, changed: 1 }))).toEqual([]);
});
