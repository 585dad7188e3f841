import { DomainError } from "../../errors.ts";
import { ShapeError } from "../../json-shape.ts";
import { checkHead, readLine, type ImportLine } from "./import-format.ts";
import type { NumberedLine } from "./lines.ts";

/** What a file has held so far. */
export interface ImportCounts {
  lines: number;
  sessions: number;
  messages: number;
  isEnded: boolean;
}

/** The refusal of a file, for what is in one of its lines. */
export function invalidImport(line: number, problem: string): DomainError {
  const message = `line ${line} of the import: ${problem}; nothing was imported`;
  return new DomainError("invalid", "INVALID_IMPORT", message, { line: String(line) });
}

/**
 * What a line says where it stands, after those that were counted; undefined where it says nothing of a session: the first,
 * the last, an empty one. Throws DomainError `INVALID_IMPORT`.
 */
export function parseLine(
  { number, bytes }: NumberedLine,
  counts: ImportCounts,
): Exclude<ImportLine, { kind: "end" }> | undefined {
  if (isBlank(bytes)) return undefined;
  if (counts.isEnded)
    throw invalidImport(number, "nothing may follow the line that ends an export; import files one by one");
  counts.lines = number;
  const value = parseJson(bytes, number);
  try {
    if (number === 1) {
      checkHead(value);
      return undefined;
    }
    const line = readLine(value);
    if (line.kind !== "end") return counted(line, number, counts);
    checkEnd(line.end, number, counts);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError && error.reason !== "MESSAGE_TOO_LARGE") throw error;
    if (error instanceof ShapeError || error instanceof DomainError) throw invalidImport(number, error.message);
    throw error;
  }
}

/** Throws DomainError `INVALID_IMPORT` where the end of a file has not come. */
export function checkComplete({ lines, isEnded }: ImportCounts): void {
  if (isEnded) return;
  const problem = lines === 0 ? "the file is empty" : "the file ends here, before its last line: it was cut off";
  throw invalidImport(Math.max(1, lines), problem);
}

function counted<Line extends Exclude<ImportLine, { kind: "end" }>>(
  line: Line,
  number: number,
  counts: ImportCounts,
): Line {
  if (line.kind === "session") counts.sessions++;
  else if (counts.sessions === 0) throw invalidImport(number, "a message comes after the session it belongs to");
  else counts.messages++;
  return line;
}

function checkEnd(
  end: { readonly sessions: number; readonly messages: number },
  number: number,
  counts: ImportCounts,
): void {
  if (end.sessions !== counts.sessions || end.messages !== counts.messages) {
    const said = `${end.sessions} sessions and ${end.messages} messages`;
    const found = `${counts.sessions} and ${counts.messages}`;
    throw invalidImport(number, `the export had ${said}, the file has ${found}: something of it is missing`);
  }
  counts.isEnded = true;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

function parseJson(bytes: Buffer, number: number): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalidImport(
      number,
      number === 1 ? "this is no export of parley" : "this is no JSON; the file may be damaged or cut off",
    );
  }
}
