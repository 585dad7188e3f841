import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "../../src/clock.ts";
import type { Database, Statement, Transaction } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";

/** So long that clients were told of it before, on a busy machine, too. */
const COMMIT_MS = 200;

/**
 * The guard off: a store that says "stored" before it is. It works on a copy, and brings what was done there to the real
 * file a little later, in the same order.
 */
export function openPublishEarly(path: string, clock: Clock): Database {
  const folder = join(dirname(path), "early");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const suffix of ["", "-wal"]) {
    if (existsSync(path + suffix)) copyFileSync(path + suffix, join(folder, `parley.db${suffix}`));
  }
  const copy = openSqlite(join(folder, "parley.db"), clock);
  const real = openSqlite(path, clock);
  const late = new Set<Promise<void>>();

  function storeLater(statements: readonly Statement[]): void {
    const stored = new Promise<void>((resolve) => clock.after(COMMIT_MS, resolve))
      .then(() => real.transact(statements))
      .finally(() => late.delete(stored));
    late.add(stored);
  }

  function early(transaction: Transaction): Transaction {
    return {
      ...transaction,
      settle(error) {
        if (error === undefined) storeLater(transaction.statements);
        transaction.settle(error);
      },
    };
  }

  return {
    ...copy,
    transact: async (statements, options) => {
      await copy.transact(statements, options);
      storeLater(statements);
    },
    enqueue: (transaction) => copy.enqueue(early(transaction)),
    defer: (work) => copy.defer({ collect: () => work.collect().map(early) }),
    close: async () => {
      await Promise.all(late);
      await copy.close();
      await real.close();
    },
  };
}
