import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addRange, endBeforeRanges, isInRanges, skipRanges, type SeqRange } from "./seq-range.ts";

const added = (...ranges: readonly [number, number][]): SeqRange[] =>
  ranges.reduce<SeqRange[]>((all, [from, to]) => addRange(all, { from, to }), []);

test("ranges that touch or overlap become one", () => {
  expect(added([5, 7], [8, 9])).toEqual([{ from: 5, to: 9 }]);
  expect(added([5, 7], [1, 20])).toEqual([{ from: 1, to: 20 }]);
  expect(added([5, 7], [1, 3], [4, 4])).toEqual([{ from: 1, to: 7 }]);
  expect(added([10, 12], [1, 3])).toEqual([
    { from: 1, to: 3 },
    { from: 10, to: 12 },
  ]);
});

test("a range without a number adds nothing", () => {
  expect(added([5, 4])).toEqual([]);
  expect(added([1, 2], [9, 3])).toEqual([{ from: 1, to: 2 }]);
});

test("a reader goes past what directly follows, and no further", () => {
  const ranges = added([3, 5], [9, 9]);
  expect([0, 1, 2, 3, 4, 5, 7, 8, 9].map((seq) => skipRanges(ranges, seq))).toEqual([0, 1, 5, 5, 5, 5, 7, 9, 9]);
  expect([0, 2, 5, 8, 9].map((seq) => endBeforeRanges(ranges, seq))).toEqual([2, 2, 8, 8, Infinity]);
});

test("whatever is added in whatever order, every number is in or out as a set would have it", () => {
  const range = fc.tuple(fc.nat(30), fc.nat(30)).map(([from, length]) => ({ from, to: from + length - 1 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (list) => {
      const numbers = new Set(
        list.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
      );
      const ranges = list.reduce<SeqRange[]>(addRange, []);
      for (let seq = 0; seq <= 62; seq++) expect(isInRanges(ranges, seq)).toBe(numbers.has(seq));
      for (const [i, { from }] of ranges.slice(1).entries()) expect(from).toBeGreaterThan(ranges[i]!.to + 1);
    }),
  );
});
