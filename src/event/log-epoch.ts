import { randomUUID } from "node:crypto";
import type { Database } from "../store/database.ts";

/** The identity of the store's logs: made with the store, replaced when it is restored from a backup. */
export async function readLogEpoch(db: Database): Promise<string> {
  await db.transact([
    {
      sql: "INSERT INTO meta (name, value) VALUES ('log_epoch', ?) ON CONFLICT (name) DO NOTHING",
      params: [randomUUID()],
    },
  ]);
  const row = await db.get<{ value: string }>({ sql: "SELECT value FROM meta WHERE name = 'log_epoch'", params: [] });
  if (row === undefined) throw new Error("the store has no log_epoch");
  return row.value;
}
