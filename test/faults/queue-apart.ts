import type { Clock } from "../../src/clock.ts";
import type { Database, Statement, Transaction } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";

/** Between the two, so that engines die there often enough to be seen. */
const APART_MS = 1000;

/**
 * The guard off: a store on which a message leaves the queue in a transaction of its own, before or after the one that takes
 * it up. Nothing goes wrong there unless the engine dies in between.
 */
export function openQueueApart(path: string, clock: Clock, leaves: "before" | "after"): Database {
  const db = openSqlite(path, clock);

  function enqueue(transaction: Transaction): void {
    const parts = [transaction.statements.filter(leavesQueue), transaction.statements.filter((s) => !leavesQueue(s))];
    const [first, second] = leaves === "before" ? parts : parts.toReversed();
    if (first === undefined || second === undefined || parts.some(({ length }) => length === 0)) {
      return db.enqueue(transaction);
    }
    db.enqueue({
      ...transaction,
      statements: first,
      settle(error) {
        if (error !== undefined) return transaction.settle(error);
        clock.after(APART_MS, () => db.enqueue({ ...transaction, statements: second }));
      },
    });
  }

  return { ...db, enqueue };
}

function leavesQueue({ sql }: Statement): boolean {
  return sql.startsWith("DELETE FROM queued_messages");
}
