import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { lifeModel } from "./life-model.ts";

test("sessions live as their model does, whatever is done to them in whatever order", async () => {
  expect(missed(await lifeModel(1500))).toEqual([]);
});
