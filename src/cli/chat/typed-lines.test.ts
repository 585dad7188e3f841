import { expect, test } from "vitest";
import { createTypedLines } from "./typed-lines.ts";

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** Lines whose work ends when the test says so; those that begin with a slash may overtake. */
function typed() {
  const patience = Promise.withResolvers<void>();
  const started: string[] = [];
  const ends = new Map<string, Deferred>();
  const lines = createTypedLines({
    mayOvertake: (text) => text.startsWith("/"),
    patience: () => patience.promise,
    async run(text) {
      started.push(text);
      const end = Promise.withResolvers<void>();
      ends.set(text, end);
      await end.promise;
    },
    onDone: () => undefined,
  });
  const end = async (text: string) => {
    ends.get(text)?.resolve();
    await settled();
  };
  return { lines, started, end, patience };
}

/** Whatever can go on has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("lines are done one after the other, commands too while nothing is held up", async () => {
  const { lines, started, end } = typed();
  for (const text of ["one", "two", "/three", "four"]) lines.add(text);
  await settled();
  expect(started).toEqual(["one"]);
  for (const text of ["one", "two", "/three"]) await end(text);
  expect(started).toEqual(["one", "two", "/three", "four"]);
  expect(lines.pending).toEqual(["four"]);
  await end("four");
  await lines.whenDone();
  expect(lines.pending).toEqual([]);
});

test("a command overtakes text that cannot be sent; text does not", async () => {
  const { lines, started, end, patience } = typed();
  for (const text of ["held up", "behind it", "/cancel", "/queue"]) lines.add(text);
  patience.resolve();
  await settled();
  expect(started).toEqual(["held up", "/cancel"]);
  await end("/cancel");
  expect(started).toEqual(["held up", "/cancel", "/queue"]);
  expect(lines.pending).toEqual(["held up", "behind it", "/queue"]);
  await end("/queue");
  await end("held up");
  expect(started.at(-1)).toBe("behind it");
});
