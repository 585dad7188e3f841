import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { roundTrip } from "./round-trip.ts";

test("sessions exported, imported elsewhere and exported again are the same file", { timeout: 900_000 }, async () => {
  expect(missed(await roundTrip(500))).toEqual([]);
});
