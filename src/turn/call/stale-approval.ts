import { getRequest } from "../../request/request-store.ts";
import type { Database } from "../../store/database.ts";
import type { ToolCall } from "./tool-call-store.ts";

/** What the model is told of a call whose diff is not the one that a human has approved. */
export const STALE_TEXT =
  "Nothing was changed: a human approved this call by what it would have changed then, and the file was changed since. Read it again, and ask anew.";

/**
 * Whether an approved call would change other lines by now than the human was shown: somebody changed the file while it waited.
 * Lines around a change, and where it stands, may be others: of two edits of one file each still does what was shown.
 */
export async function isStale(db: Database, { requestId, isEdited }: ToolCall, diff: string): Promise<boolean> {
  // Whoever changed the arguments has approved words, not a diff.
  if (isEdited || requestId === "") return false;
  const { permission } = await getRequest(db, requestId);
  return permission !== undefined && !isSameChange(permission.diff, diff.toWellFormed());
}

/** What was shown may be the beginning of it alone, where that was too large. */
function isSameChange(shown: string, now: string): boolean {
  const [before, after] = [changedLines(shown), changedLines(now)];
  return before === after || (before.length > 0 && shown.length > MIN_CUT_CHARS && after.startsWith(`${before}\n`));
}

/** Shorter diffs are never cut. */
const MIN_CUT_CHARS = 60 * 1024;

function changedLines(diff: string): string {
  return diff
    .split("\n")
    .filter((line) => /^[-+\\]/.test(line))
    .join("\n");
}
