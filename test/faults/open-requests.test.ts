import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { openRequestsFigures, runOpenRequests } from "./open-requests.ts";

test("requests of engines that are killed are listed with everything in them, once, and can be answered", async () => {
  expect(missed(openRequestsFigures(await runOpenRequests(3)))).toEqual([]);
});
