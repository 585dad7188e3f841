import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { toIndex, type MessageToIndex } from "../src/message/search-index.ts";
import type { Statement } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { scratchFolder } from "./host.ts";
import { sha256 } from "./tokens.ts";

/** A database to be filled, as fast as the disk takes it. */
export interface Filling {
  readonly db: Sqlite.Database;
  /** Runs a statement of the engine's own. */
  run(statement: Statement): void;
}

/**
 * A data directory with a large store, kept from run to run: made anew where the schema is another one, or `generation`,
 * which counts up when what is filled in changes.
 */
export function keptStore(name: string, generation: number, fill: (filling: Filling) => void): string {
  const dataDir = join(scratchFolder(), `store-${name}-${generation}-${schemaHash().slice(0, 12)}`);
  if (existsSync(dataDir)) return dataDir;
  // Of an older schema; they are large.
  for (const old of readdirSync(scratchFolder())) {
    if (old.startsWith(`store-${name}-`)) rmSync(join(scratchFolder(), old), { recursive: true, force: true });
  }
  const unfinished = `${dataDir}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    fillFile(join(unfinished, "parley.db"), fill);
    renameSync(unfinished, dataDir);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return dataDir;
}

function schemaHash(): string {
  const db = new Sqlite(":memory:");
  migrate(db);
  const schema = db.prepare("SELECT sql FROM sqlite_schema ORDER BY name").pluck().all();
  db.close();
  return sha256(JSON.stringify(schema));
}

function fillFile(path: string, fill: (filling: Filling) => void): void {
  const db = new Sqlite(path);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = OFF");
  db.pragma("cache_size = -200000");
  migrate(db);
  const prepared = new Map<string, Sqlite.Statement>();
  const run = ({ sql, params }: Statement): void => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = db.prepare(sql);
      prepared.set(sql, statement);
    }
    statement.run(params);
  };
  db.transaction(() => fill({ db, run }))();
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
}

/** Indexes all messages, as the engine does it in the background: it has nothing left to do when it starts. */
export function indexMessages({ db, run }: Filling): void {
  const rows = db.prepare<[number], MessageToIndex>(
    "SELECT key AS message_key, session_key, role, status, parts FROM messages WHERE key > ? ORDER BY key LIMIT 10000",
  );
  let last = 0;
  for (let all = rows.all(last); all.length > 0; all = rows.all(last)) {
    for (const row of all) toIndex(row).forEach(run);
    last = all.at(-1)?.message_key ?? last;
  }
  db.exec("DELETE FROM unindexed_messages");
}
