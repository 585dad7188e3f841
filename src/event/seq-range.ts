/** A run of numbers of a log; both ends belong to it. */
export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

/** Adds a range to others, all of which are in order and apart, and so is the result. */
export function addRange(ranges: readonly SeqRange[], added: SeqRange): SeqRange[] {
  if (added.from > added.to) return [...ranges];
  let { from, to } = added;
  const apart: SeqRange[] = [];
  for (const range of ranges) {
    if (range.to + 1 < from || range.from > to + 1) apart.push(range);
    else {
      from = Math.min(from, range.from);
      to = Math.max(to, range.to);
    }
  }
  return [...apart, { from, to }].toSorted((a, b) => a.from - b.from);
}

/** Whether a number is in one of the ranges. */
export function isInRanges(ranges: readonly SeqRange[], seq: number): boolean {
  return ranges.some(({ from, to }) => from <= seq && seq <= to);
}

/** Where a reader is that has gone past what directly follows `seq` and lies in a range. */
export function skipRanges(ranges: readonly SeqRange[], seq: number): number {
  return ranges.find(({ from, to }) => from <= seq + 1 && seq < to)?.to ?? seq;
}

/** The last number after `seq` before a range begins; Infinity where none does. */
export function endBeforeRanges(ranges: readonly SeqRange[], seq: number): number {
  return (ranges.find(({ from }) => from > seq)?.from ?? Infinity) - 1;
}
