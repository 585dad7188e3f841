import { expect } from "vitest";
import type { Seen } from "./programs.ts";
import { SAID } from "./place.ts";

/** What every client must have seen of a turn: the upstream's text, exactly, whole and in pieces, in order, to its end. */
export function expectWholeTurn(seen: Seen): void {
  expect(seen.streamed).toBe(SAID);
  expect(seen.completed).toBe(SAID);
  expect(seen.endReasons).toEqual(["TURN_END_REASON_COMPLETED"]);
  expect(seen.beginsWithCheckpoint).toBe(true);
  expect(seen.seqs).toEqual(seen.seqs.toSorted((a, b) => a - b));
  expect(new Set(seen.seqs).size).toBe(seen.seqs.length);
  expect(seen.seqs[0]).toBe(1);
}
