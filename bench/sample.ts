/** The value below which this share of the values lies. NaN where there are none. */
export function quantile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

export function median(values: Iterable<number>): number {
  return quantile(values, 0.5);
}

/** Runs things in turn, so that a change of the machine's mood meets all of them: A B C, A B C, ... */
export async function inTurn<T extends Record<string, () => Promise<unknown>>>(
  rounds: number,
  runs: T,
): Promise<{ [K in keyof T]: Awaited<ReturnType<T[K]>>[] }> {
  const results = Object.fromEntries(Object.keys(runs).map((name) => [name, [] as unknown[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) results[name]?.push(await run());
  }
  return results as { [K in keyof T]: Awaited<ReturnType<T[K]>>[] };
}
