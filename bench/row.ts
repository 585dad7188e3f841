/** One line of the table. */
export interface Row {
  readonly figure: string;
  readonly measured: string;
  /** The same work without the engine, in the same run. */
  readonly beside: string;
  /** How the two compare. */
  readonly compared: string;
  readonly target: string;
  readonly verdict: "ok" | "MISSED" | "skipped";
  /** What else is worth knowing. */
  readonly note?: string;
  /** The numbers, for programs. */
  readonly values: Readonly<Record<string, number>>;
}

export function verdict(isMet: boolean): Row["verdict"] {
  return isMet ? "ok" : "MISSED";
}

/** A row for what cannot be measured here. */
export function skipped(figure: string, target: string, why: string): Row {
  return { figure, measured: "-", beside: "-", compared: "-", target, verdict: "skipped", note: why, values: {} };
}

const COLUMNS = ["figure", "measured", "beside", "compared", "target", "verdict"] as const;

export function formatTable(rows: readonly Row[]): string {
  const header = ["figure", "measured", "beside it", "compared", "target", ""];
  const lines: string[][] = [header, ...rows.map((row) => COLUMNS.map((column) => row[column]))];
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  text.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  const notes = rows.filter(({ note }) => note !== undefined).map(({ figure, note }) => `  ${figure}: ${note}`);
  return [...text, ...(notes.length === 0 ? [] : ["", "notes", ...notes])].join("\n");
}

export function ms(value: number): string {
  return value < 10 ? `${value.toFixed(2)} ms` : `${Math.round(value).toLocaleString("en")} ms`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

export function kilobytes(bytes: number): string {
  return `${(bytes / 1e3).toFixed(1)} KB`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

export function percent(ratio: number): string {
  return `${ratio >= 0 ? "+" : ""}${(ratio * 100).toFixed(1)} %`;
}
