import type { Session } from "../session.ts";

/** The first line of an export. What reads a version must not guess at another. */
export const EXPORT_HEAD = { format: "parley.sessions", version: 1 } as const;

/** The last line: what a file must hold, so that one that was cut off is noticed. */
export interface ExportEnd {
  readonly sessions: number;
  readonly messages: number;
}

/** Some lines of the file, and what they are. Bytes, not text: what is held back would make the heap grow for good. */
export interface Lines {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sessions: number;
  readonly messages: number;
}

/**
 * A message's line, put together by the store: less work than taking its columns out one by one. Ids, roles and states need no
 * escaping; what is JSON already goes in as it is stored.
 */
export const MESSAGE_LINE = `format(
  '{"message":{"id":"%s","turnId":"%s","role":"%s","status":"%s","createTimeMs":%d%s%s,"parts":%s}}%s',
  id, turn_id, role, status, create_time_ms,
  CASE model WHEN '' THEN '' ELSE ',"model":' || json_quote(model) END,
  CASE usage WHEN '' THEN '' ELSE ',"usage":' || usage END, parts, char(10))`;

export function headLine(): string {
  return `${JSON.stringify(EXPORT_HEAD)}\n`;
}

/** All that an owner has decided of a session, and where it comes from; what runs in it and its log stay behind. */
export function sessionLine(session: Session): string {
  const { id, title, profile, model, systemPrompt, workspace, labels, limits, starred } = session;
  const { resumeAfterRestart, retryPartial, approvalMode, agent, forkedFrom, usage, createTimeMs, updateTimeMs } =
    session;
  const settings = { title, profile, model, systemPrompt, workspace, labels, limits, starred };
  const origin = { forkedFrom, usage, createTimeMs, updateTimeMs };
  return `${JSON.stringify({ session: { id, ...settings, resumeAfterRestart, retryPartial, approvalMode, agent, ...origin } })}\n`;
}

export function endLine(end: ExportEnd): string {
  return `${JSON.stringify({ end })}\n`;
}
