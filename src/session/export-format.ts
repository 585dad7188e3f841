import type { MessageRow } from "../message/message-store.ts";
import type { Session } from "./session.ts";

/** The first line of an export. What reads a version must not guess at another. */
export const EXPORT_HEAD = { format: "parley.sessions", version: 1 } as const;

/** The last line: what a file must hold, so that one that was cut off is noticed. */
export interface ExportEnd {
  readonly sessions: number;
  readonly messages: number;
}

/** The columns of a message that are exported. */
export const EXPORTED_COLUMNS = "id, turn_id, seq, role, status, parts, model, usage, create_time_ms";

export function headLine(): string {
  return `${JSON.stringify(EXPORT_HEAD)}\n`;
}

/** All that an owner has decided of a session, and where it comes from; what runs in it and its log stay behind. */
export function sessionLine(session: Session): string {
  const { id, title, profile, model, systemPrompt, workspace, labels, limits, starred } = session;
  const { resumeAfterRestart, retryPartial, forkedFrom, usage, createTimeMs, updateTimeMs } = session;
  const settings = { title, profile, model, systemPrompt, workspace, labels, limits, starred };
  const origin = { forkedFrom, usage, createTimeMs, updateTimeMs };
  return `${JSON.stringify({ session: { id, ...settings, resumeAfterRestart, retryPartial, ...origin } })}\n`;
}

/** Ids, roles and states need no escaping; what is JSON already goes in as it is stored. */
export function messageLine(row: MessageRow): string {
  const model = row.model === "" ? "" : `,"model":${JSON.stringify(row.model)}`;
  const usage = row.usage === "" ? "" : `,"usage":${row.usage}`;
  return `{"message":{"id":"${row.id}","turnId":"${row.turn_id}","role":"${row.role}","status":"${row.status}","createTimeMs":${row.create_time_ms}${model}${usage},"parts":${row.parts}}}\n`;
}

export function endLine(end: ExportEnd): string {
  return `${JSON.stringify({ end })}\n`;
}
