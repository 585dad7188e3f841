/** One line of a report: what was measured, and what was to be reached. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  readonly required: string;
  readonly ok: boolean;
  /** Time or processor that something took: as much a matter of the machine, and of what else runs on it. */
  readonly isCost?: boolean;
}

export function figure(what: string, measured: number | string, required: string, ok: boolean): Figure {
  return { what, measured: typeof measured === "number" ? formatNumber(measured) : measured, required, ok };
}

/** Something that must not happen: how often it did, of how many chances. */
export function none(what: string, bad: number, chances: number): Figure {
  return figure(what, `${formatNumber(bad)} of ${formatNumber(chances)}`, "0", bad === 0 && chances > 0);
}

/** Memory and disk: the bound is far from what is seen, and near to nothing that a fault of its kind would take. */
export function atMost(what: string, measured: number, bound: number, unit: string): Figure {
  return figure(what, `${formatNumber(measured)} ${unit}`, `at most ${formatNumber(bound)} ${unit}`, measured <= bound);
}

/** What is to be reached on a machine that does nothing else: the long forms ask for it, the tests do not. */
export function cost(what: string, measured: number, bound: number, unit: string): Figure {
  return { ...atMost(what, measured, bound, unit), isCost: true };
}

export function atLeast(what: string, measured: number, bound: number, unit: string): Figure {
  return figure(
    what,
    `${formatNumber(measured)} ${unit}`,
    `at least ${formatNumber(bound)} ${unit}`,
    measured >= bound,
  );
}

/** The same check with the guard off: it has to find something, or it finds nothing anywhere. */
export function control(what: string, found: number, of: string): Figure {
  return figure(`control: ${what}`, `${formatNumber(found)} ${of}`, "more than 0", found > 0);
}

/** Looks for the fault of a control, which may need some luck to be seen, until it is found. How much of it was. */
export async function untilFound(most: number, look: () => Promise<number>): Promise<number> {
  for (let i = 0; i < most; i++) {
    const found = await look();
    if (found > 0) return found;
  }
  return 0;
}

export function lineOf({ what, measured, required, ok }: Figure): string {
  return `${ok ? "ok    " : "FAILED"} ${what.padEnd(68)} ${measured.padEnd(28)} required: ${required}`;
}

function formatNumber(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

/** What was not reached but for costs, for a test that expects nothing here. */
export function missed(figures: readonly Figure[]): string[] {
  return figures.filter(({ ok, isCost }) => !ok && isCost !== true).map(lineOf);
}
