import { setTimeout as pause } from "node:timers/promises";
import type { Clock } from "../../src/clock.ts";
import type { Database, Statement, Transaction } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";

/** How much later an entry is written than what it tells of. */
const LATER_MS = 1000;

/** The guard off: entries of the audit log are written in a transaction of their own, after that of what they tell of. */
export function openAuditApart(path: string, clock: Clock): Database {
  const db = openSqlite(path, clock);
  const late = new Set<Promise<void>>();

  function writeLater(entries: readonly Statement[]): void {
    if (entries.length === 0) return;
    const written = pause(LATER_MS)
      .then(() => db.transact(entries))
      .finally(() => late.delete(written));
    late.add(written);
  }

  function apart(transaction: Transaction): Transaction {
    return {
      ...transaction,
      statements: facts(transaction.statements),
      settle(error) {
        if (error === undefined) writeLater(transaction.statements.filter(isEntry));
        transaction.settle(error);
      },
    };
  }

  return {
    ...db,
    transact: async (statements, options) => {
      await db.transact(facts(statements), options);
      writeLater(statements.filter(isEntry));
    },
    enqueue: (transaction) => db.enqueue(apart(transaction)),
    close: async () => {
      await Promise.all(late);
      await db.close();
    },
  };
}

function isEntry({ wantsSeal }: Statement): boolean {
  return wantsSeal === true;
}

function facts(statements: readonly Statement[]): Statement[] {
  return statements.filter((one) => !isEntry(one));
}
