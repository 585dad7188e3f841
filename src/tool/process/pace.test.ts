import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import { createPace } from "./pace.ts";

function setUp() {
  const clock = createFakeClock();
  const pace = createPace(1000, clock);
  let isHeld = false;
  return {
    clock,
    isHeld: () => isHeld,
    async take(amount: number) {
      isHeld = true;
      const taken = pace.took(amount).then(() => (isHeld = false));
      // What is not held up is over in this turn.
      await Promise.resolve().then(() => Promise.resolve());
      return { taken };
    },
  };
}

test("what comes at once after silence is not held up, what is more is held to the pace", async () => {
  const { clock, take, isHeld } = setUp();
  await take(400);
  expect(isHeld()).toBe(false);
  const { taken } = await take(1100);
  expect(isHeld()).toBe(true);
  await clock.advance(999);
  expect(isHeld()).toBe(true);
  await clock.advance(1);
  await taken;
  expect(isHeld()).toBe(false);
});

test("a long silence gives no more credit than a short one", async () => {
  const { clock, take, isHeld } = setUp();
  await clock.advance(1_000_000);
  await take(501);
  expect(isHeld()).toBe(true);
});
