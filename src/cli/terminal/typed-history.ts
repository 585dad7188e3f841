import { appendFileSync, chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** What was typed before, the oldest first. */
export interface TypedHistory {
  readonly lines: readonly string[];
  /** Keeps a line, but one that begins with a space, or that is the same as the last. */
  add(line: string): void;
}

const MAX_LINES = 1000;
/** A text that was pasted is no line to look for again. */
const MAX_LINE_CHARS = 8000;

export interface HistoryOptions {
  /** One JSON string a line. Undefined = kept in memory alone. */
  readonly path: string | undefined;
  /** Told once, where the file cannot be used; what is typed is kept in memory then. */
  readonly onFailure: (error: Error) => void;
}

/** Several chats may write the file: each line is added to its end at once, and it is cut only at a start. */
export function openTypedHistory({ path, onFailure }: HistoryOptions): TypedHistory {
  let file = path;
  const attempt = (work: (path: string) => void): void => {
    if (file === undefined) return;
    try {
      work(file);
    } catch (error) {
      file = undefined;
      onFailure(error as Error);
    }
  };
  const lines: string[] = [];
  attempt((name) => lines.push(...read(name)));
  return {
    lines,
    add(line) {
      if (/^\s|^$/.test(line) || line === lines.at(-1) || line.length > MAX_LINE_CHARS) return;
      lines.push(line);
      if (lines.length > MAX_LINES) lines.shift();
      attempt((name) => appendFileSync(name, `${JSON.stringify(line)}\n`, { mode: 0o600 }));
    },
  };
}

function read(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  chmodSync(path, 0o600);
  const found = text.split("\n").flatMap(parse);
  const kept = found.slice(-MAX_LINES);
  if (found.length > 2 * MAX_LINES) {
    const next = `${path}.${process.pid}`;
    writeFileSync(next, kept.map((line) => `${JSON.stringify(line)}\n`).join(""), { mode: 0o600 });
    renameSync(next, path);
  }
  return kept;
}

/** A line that a killed chat did not finish is none. */
function parse(line: string): string[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "string" ? [value] : [];
  } catch {
    return [];
  }
}
