import { toJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type AuditEntry, AuditEntrySchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatTable, formatTime } from "../view/format.ts";
import type { Output } from "../output.ts";
import { type EntryOptions, readEntries } from "./entries.ts";

const DEFAULT_LIMIT = 50;

/** The newest first; `limit` 0 = all. */
export async function listEntries(
  context: Context,
  { limit = DEFAULT_LIMIT, ...options }: EntryOptions & { readonly limit?: number },
): Promise<ExitCode> {
  const { out, json } = context;
  const rows: string[][] = [];
  let count = 0;
  for await (const entry of readEntries(await context.client(), options, limit === 0 ? Infinity : limit)) {
    count++;
    if (json) out.write(`${toJsonString(AuditEntrySchema, entry)}\n`);
    else rows.push(row(entry, out));
  }
  if (rows.length > 0) out.write(`${formatTable(rows).join("\n")}\n`);
  if (count === 0 && out.isTerminal && !json) context.note("no entry of the audit log is like that");
  return EXIT.ok;
}

function row({ seq, createTime, actor, action, sessionId, target, detail }: AuditEntry, out: Output): string[] {
  const time = createTime === undefined ? "" : formatTime(timestampDate(createTime));
  const what = [target, sessionId === target ? "" : sessionId, wordsOf(detail)];
  const words = what.filter((text) => text !== "").join(" ");
  return [String(seq), time, actor === "" ? "-" : out.foreignLine(actor), action, out.foreignLine(words)];
}

/** `tool=shell verdict=deny reason=...`: for people. Scripts take `--json`. */
function wordsOf(detail: string): string {
  const value = parse(detail);
  if (typeof value !== "object" || value === null) return detail;
  return Object.entries(value)
    .filter(([name, one]) => name !== "turn_id" && one !== null && one !== "")
    .map(([name, one]) => `${name}=${typeof one === "string" ? one : JSON.stringify(one)}`)
    .join(" ");
}

/** Somebody may have been at it. */
function parse(detail: string): unknown {
  try {
    return JSON.parse(detail);
  } catch {
    return undefined;
  }
}
