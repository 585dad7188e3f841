import type { Style } from "../terminal/style.ts";
import { visibleLine } from "../terminal/visible.ts";

const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** What is of no use to a human. */
const LEFT_OUT: ReadonlySet<string> = new Set(["level", "time", "pid", "hostname", "msg"]);

/** A line of an engine's log for a terminal: time, level, words, then the rest. What is no such line stays as it is. */
export function logLine(line: string, { dim, red, yellow }: Style): string {
  const fields = parse(line);
  if (fields === undefined) return visibleLine(line);
  const { level, time, msg } = fields;
  const name = (LEVELS[Number(level)] ?? String(level)).padEnd(5);
  const paint = Number(level) >= 50 ? red : Number(level) >= 40 ? yellow : dim;
  const rest = Object.entries(fields)
    .filter(([key]) => !LEFT_OUT.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const at = new Date(Number(time)).toTimeString().slice(0, 8);
  return `${dim(at)} ${paint(name)} ${visibleLine(typeof msg === "string" ? msg : "")}${rest.length > 0 ? ` ${dim(visibleLine(rest.join(" ")))}` : ""}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    return Number.isFinite(fields["time"]) && "level" in fields ? fields : undefined;
  } catch {
    // Cut off, or somebody else's.
    return undefined;
  }
}
