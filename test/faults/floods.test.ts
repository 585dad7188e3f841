import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { floodsFigures, runFloods } from "./floods.ts";

test("a tool that prints, forks or refuses to end without measure costs bounded memory and time, and leaves nothing", async () => {
  expect(missed(floodsFigures(await runFloods({ printedBytes: 200e6, forks: 300 })))).toEqual([]);
});
