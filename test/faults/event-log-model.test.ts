import { expect, test } from "vitest";
import { eventLogModel } from "./event-log-model.ts";
import { missed } from "./figure.ts";

test("the event log does as its model does, whatever happens in whatever order", async () => {
  expect(missed(await eventLogModel(5000))).toEqual([]);
});
