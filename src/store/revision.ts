import type { Statement } from "./database.ts";

/**
 * Goes before a statement that sets `revision = ${REVISION}`, in the same transaction: the row then carries the number of
 * its last change in the whole engine. Nothing else may touch that number: who watches all rows is told of this statement.
 */
export const NEXT_REVISION: Statement = {
  sql: "UPDATE engine_revision SET value = value + 1",
  params: [],
  bumpsRevision: true,
};

/** The number that `NEXT_REVISION` has just given out, in SQL. */
export const REVISION = "(SELECT value FROM engine_revision)";

/** `NEXT_REVISION` for this many rows that come at once; the last one's number is `${REVISION}`, each has its own. */
export function nextRevisions(count: number): Statement {
  return { sql: "UPDATE engine_revision SET value = value + ?", params: [count], bumpsRevision: true };
}
