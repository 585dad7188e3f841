import { isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";

/** What is wrong in a definition, and in which line of its file. */
export class DefinitionError extends Error {
  override readonly name = "DefinitionError";

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
  }
}

/** A file in two: its settings, and the text after them. */
export interface SplitFile {
  readonly yaml: string;
  readonly body: string;
}

/** A setting with the line that it stands in. */
export interface Field {
  readonly name: string;
  readonly line: number;
  readonly node: unknown;
  /** The line of a place in the settings. */
  readonly lineAt: (offset: number) => number;
}

/** The settings begin in the second line of their file. */
const FIRST_LINE = 2;

/** The settings stand between two lines of `---`, and nothing before them. Throws `DefinitionError`. */
export function splitFile(text: string): SplitFile {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (!isFence(lines[0])) throw new DefinitionError(1, "the file must begin with a line --- and its settings");
  const end = lines.findIndex((line, index) => index > 0 && isFence(line));
  if (end === -1) throw new DefinitionError(lines.length, "the settings do not end; a line --- is missing after them");
  return {
    yaml: lines.slice(1, end).join("\n"),
    body: lines
      .slice(end + 1)
      .join("\n")
      .trim(),
  };
}

function isFence(line: string | undefined): boolean {
  return line?.trimEnd() === "---";
}

/** The settings of a file, by name. Throws `DefinitionError`. */
export function readFields(yaml: string): readonly Field[] {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false, schema: "core" });
  const lineAt = (offset: number): number => lines.linePos(offset).line + FIRST_LINE - 1;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    throw new DefinitionError(lineAt(problem.pos[0]), problem.message.split("\n", 1)[0] ?? "");
  }
  return fieldsBelow({ name: "settings", line: FIRST_LINE, node: document.contents, lineAt });
}

/** Throws `DefinitionError`, as all of these do. */
export function fieldsBelow(field: Field): readonly Field[] {
  const { node, lineAt } = field;
  if (node === null || (isScalar(node) && node.value === null)) return [];
  if (!isMap(node)) throw wrong(field, "write it as lines of `name: value`");
  return node.items.map(({ key, value }) => {
    if (!isScalar(key) || typeof key.value !== "string") throw wrong(field, "each name must be a plain word");
    return { name: key.value, line: lineAt(key.range?.[0] ?? 0), node: value, lineAt };
  });
}

export function textOf(field: Field, maxChars: number): string {
  const value = valueOf(field.node);
  if (typeof value !== "string" || value.trim() === "") throw wrong(field, "must be a text; put it in quotes");
  if (value.length > maxChars) throw wrong(field, `must have at most ${maxChars} characters`);
  return value.trim();
}

/** A list of names, or several in one text, with commas. */
export function namesOf(field: Field, maxItems: number): readonly string[] {
  const value = valueOf(field.node);
  if (value === null) return [];
  const names = typeof value === "string" ? value.split(",").map((word) => word.trim()) : itemsOf(field);
  if (names.length > maxItems) throw wrong(field, `must have at most ${maxItems} entries`);
  if (names.includes("")) throw wrong(field, "an entry is empty");
  return [...new Set(names)];
}

export function wholeOf(field: Field, min: number, max: number): number {
  const value = valueOf(field.node);
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  throw wrong(field, `must be a whole number from ${min} to ${max}`);
}

const SPAN_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A span such as `30m`, in milliseconds. */
export function spanMsOf(field: Field, maxMs: number): number {
  const [, digits, unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(String(valueOf(field.node))) ?? [];
  const ms = Number(digits) * (SPAN_MS[unit] ?? NaN);
  if (ms > 0 && ms <= maxMs) return ms;
  throw wrong(field, `must be a span such as 90s, 30m or 2h, at most ${maxMs / 3_600_000}h`);
}

export function wrong({ name, line }: Pick<Field, "name" | "line">, problem: string): DefinitionError {
  return new DefinitionError(line, `${name}: ${problem}`);
}

/** Undefined where it is no single value: a list, a reference to another place. */
function valueOf(node: unknown): unknown {
  return isScalar(node) ? node.value : undefined;
}

function itemsOf({ name, line, node, lineAt }: Field): string[] {
  if (!isSeq(node)) throw wrong({ name, line }, "must be a list of names");
  return node.items.map((item) => {
    if (isScalar(item) && typeof item.value === "string") return item.value.trim();
    const at = isScalar(item) || isMap(item) || isSeq(item) ? item.range?.[0] : undefined;
    throw wrong({ name, line: at === undefined ? line : lineAt(at) }, "each entry must be a name; put it in quotes");
  });
}
