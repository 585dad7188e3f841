import Sqlite from "better-sqlite3";
import type BetterSqlite3 from "better-sqlite3";
import { afterEach, expect, test } from "vitest";
import { migrate, runMigrations, storeVersion } from "./migrate.ts";

const open: BetterSqlite3.Database[] = [];
afterEach(() => {
  for (const db of open.splice(0)) db.close();
});

function newDatabase(bring: (db: BetterSqlite3.Database) => void): BetterSqlite3.Database {
  const db = new Sqlite(":memory:");
  open.push(db);
  bring(db);
  return db;
}

interface Entry {
  readonly type: string;
  readonly name: string;
  readonly table: string;
  readonly sql: string | null;
}

/** In the order in which they were made: what is named stands before what names it. */
function entriesOf(db: BetterSqlite3.Database): Entry[] {
  const entries = db.prepare("SELECT type, name, tbl_name AS 'table', sql FROM sqlite_schema ORDER BY rowid").all();
  return entries as Entry[];
}

/** The rows of a table, as SQL writes values. */
function rowsOf(db: BetterSqlite3.Database, table: string): string[] {
  const columns = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table) as string[];
  const values = columns.map((column) => `quote("${column}")`).join(" || ', ' || ");
  return db.prepare(`SELECT ${values} FROM "${table}"`).pluck().all() as string[];
}

/** All that a database is: what it is marked with, each table, index and trigger, each row. */
function contentOf(db: BetterSqlite3.Database): unknown {
  const entries = entriesOf(db).toSorted((a, b) => (a.type + a.name < b.type + b.name ? -1 : 1));
  const tables = entries.filter(({ type }) => type === "table");
  return {
    application: db.pragma("application_id", { simple: true }),
    version: storeVersion(db),
    entries,
    rows: tables.map(({ name }) => [name, rowsOf(db, name)]),
  };
}

/** The text of `newest-schema.ts` for a database that has no rows but those of the beginning. */
function sourceOf(db: BetterSqlite3.Database): string {
  const tables = (type: string): unknown[] =>
    db.prepare("SELECT name FROM pragma_table_list WHERE type = ?").pluck().all(type);
  const [virtual, behindVirtual] = [tables("virtual"), tables("shadow")];
  // The others come by themselves: the indexes of keys, and what is behind virtual tables.
  const own = entriesOf(db).filter(({ name, sql }) => sql !== null && !behindVirtual.includes(name));
  const filled = own.filter(({ type, name }) => type === "table" && !virtual.includes(name));
  const statements = [
    ...own.filter(({ name }) => name !== "sqlite_sequence").map(({ sql }) => sql),
    ...filled.flatMap(({ name }) => rowsOf(db, name).map((row) => `INSERT INTO ${name} VALUES (${row})`)),
  ];
  const script = statements.map((sql) => `${sql};\n`).join("\n");
  return `/**
 * What all migrations come to, to make a new store by: one transaction instead of one each, and to be read. Written by
 * \`npx vitest run src/store/newest-schema.test.ts -u\`, never by hand.
 */
export const newestSchema = \`
${script.replaceAll(/[\\`]|\$\{/g, String.raw`\$&`)}\`;
`;
}

test("the script for new stores is what the migrations come to", async () => {
  await expect(sourceOf(newDatabase(runMigrations))).toMatchFileSnapshot("newest-schema.ts");
});

test("a new store equals a migrated one to the byte: marks, tables, indexes, triggers and rows", () => {
  const made = contentOf(newDatabase(migrate));
  expect(made).toEqual(contentOf(newDatabase(runMigrations)));
});

test.each([
  ["a column", "ALTER TABLE meta ADD COLUMN more TEXT NOT NULL DEFAULT ''"],
  ["a trigger", "CREATE TRIGGER more AFTER INSERT ON meta BEGIN DELETE FROM meta; END"],
  ["a row", "INSERT INTO meta (name, value) VALUES ('more', '')"],
  ["a mark", "PRAGMA user_version = 1000"],
])("control: with %s more they are not equal", (_what, sql) => {
  const other = newDatabase(migrate);
  other.exec(sql);
  expect(contentOf(other)).not.toEqual(contentOf(newDatabase(runMigrations)));
});

test("a store that is new already stays as it is", () => {
  const db = newDatabase(migrate);
  const before = contentOf(db);
  migrate(db);
  expect(contentOf(db)).toEqual(before);
});
