import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { queueModel } from "./queue-model.ts";

test("the queue does as its model does, whatever happens in whatever order", async () => {
  expect(missed(await queueModel(1500))).toEqual([]);
});
