import { describe, expect, test } from "vitest";
import { ClaimLost, type Database, type Statement } from "./database.ts";
import { NEXT_REVISION } from "./revision.ts";

const createTable: Statement = { sql: "CREATE TABLE t (name TEXT PRIMARY KEY, n INTEGER NOT NULL)", params: [] };

function insert(name: string, n: number): Statement {
  return { sql: "INSERT INTO t (name, n) VALUES (?, ?)", params: [name, n] };
}

/** Moves a number on, if it still is what the caller thinks. */
function move(name: string, from: number, to: number): Statement {
  return { sql: "UPDATE t SET n = ? WHERE name = ? AND n = ?", params: [to, name, from], claim: `move ${name}` };
}

const all: Statement = { sql: "SELECT name, n FROM t ORDER BY name", params: [] };

/** What every implementation of the Database port promises. `open` returns an empty one. */
export function describeDatabase(name: string, open: () => Promise<Database>): void {
  const withTable = async (use: (db: Database) => Promise<void>): Promise<void> => {
    const db = await open();
    try {
      await db.transact([createTable]);
      await use(db);
    } finally {
      await db.close();
    }
  };

  describe(`the database port: ${name}`, () => {
    test("what a transaction wrote is read after it resolved", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 1), insert("b", 2)]);
        expect(await db.all(all)).toEqual([
          { name: "a", n: 1 },
          { name: "b", n: 2 },
        ]);
        expect(await db.get({ sql: "SELECT n FROM t WHERE name = ?", params: ["b"] })).toEqual({ n: 2 });
        expect(await db.get({ sql: "SELECT n FROM t WHERE name = ?", params: ["c"] })).toBeUndefined();
      }));

    test("a lost claim undoes its whole transaction, names itself, and undoes nobody else's", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 1)]);
        const outcomes = await Promise.allSettled([
          db.transact([insert("first", 1)]),
          db.transact([insert("lost", 1), move("a", 99, 100)]),
          db.transact([insert("last", 1)]),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
        expect(outcomes[1]).toMatchObject({ reason: new ClaimLost("move a") });
        expect((await db.all(all)).map((row) => row["name"])).toEqual(["a", "first", "last"]);
      }));

    test("of many that claim the same thing at once, one wins", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 0)]);
        const tries = Array.from({ length: 50 }, (_, i) => db.transact([move("a", 0, i + 1)]));
        const outcomes = await Promise.allSettled(tries);
        expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      }));

    test("a statement that fails undoes its own transaction only", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 1)]);
        const [twice, other] = await Promise.allSettled([
          db.transact([insert("b", 1), insert("a", 2)]),
          db.transact([insert("c", 1)]),
        ]);
        expect([twice.status, other.status]).toEqual(["rejected", "fulfilled"]);
        expect((await db.all(all)).map((row) => row["name"])).toEqual(["a", "c"]);
      }));

    test("one that is alone in its commit leaves nothing where it fails or loses a claim, and the next one is stored", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 1)]);
        await expect(db.transact([insert("b", 1), insert("a", 2)])).rejects.toThrow(/UNIQUE/);
        await expect(db.transact([insert("c", 1), move("a", 99, 100)])).rejects.toThrow(ClaimLost);
        await db.transact([insert("d", 1), insert("e", 1)]);
        expect((await db.all(all)).map((row) => row["name"])).toEqual(["a", "d", "e"]);
      }));

    test("outcomes are told in order, after the commit, and before anything else runs", () =>
      withTable(async (db) => {
        const told: string[] = [];
        await new Promise<void>((resolve) => {
          const settle = (name: string) => (error: Error | undefined) => {
            told.push(error === undefined ? name : `${name} refused`);
            if (told.length === 3) resolve();
          };
          db.enqueue({ statements: [insert("a", 1)], settle: settle("a") });
          db.enqueue({ statements: [move("none", 1, 2)], settle: settle("b") });
          db.enqueue({ statements: [insert("c", 1)], settle: settle("c") });
        });
        expect(told).toEqual(["a", "b refused", "c"]);
      }));

    test("deferred work goes with the next commit", () =>
      withTable(async (db) => {
        let hasCollected = false;
        const settled = new Promise<Error | undefined>((settle) => {
          db.defer({
            collect() {
              if (hasCollected) return [];
              hasCollected = true;
              return [{ statements: [insert("deferred", 1)], settle }];
            },
          });
        });
        await db.transact([insert("now", 1)]);
        expect(await settled).toBeUndefined();
        expect((await db.all(all)).map((row) => row["name"])).toEqual(["deferred", "now"]);
      }));

    test("deferred work is committed without company, too", () =>
      withTable(async (db) => {
        const settled = new Promise<Error | undefined>((settle) => {
          let left = [{ statements: [insert("alone", 1)], settle }];
          db.defer({ collect: () => left.splice(0) });
        });
        db.requestCommit(1);
        expect(await settled).toBeUndefined();
        expect(await db.all(all)).toHaveLength(1);
      }));

    test("a commit that gives out a revision rings, once, and no other does", () =>
      withTable(async (db) => {
        const seen: unknown[] = [];
        let rings = 0;
        const off = db.onRevision(() => rings++);
        await db.transact([insert("a", 1)]);
        expect(rings).toBe(0);
        await Promise.all([
          db.transact([NEXT_REVISION, insert("b", 1)]).then(() => seen.push(rings)),
          db.transact([NEXT_REVISION, NEXT_REVISION, insert("c", 1)]),
        ]);
        expect({ rings, seen }).toEqual({ rings: 1, seen: [1] });
        await db.transact([NEXT_REVISION, move("a", 99, 100)]).catch(() => undefined);
        expect(rings).toBe(1);
        off();
        await db.transact([NEXT_REVISION]);
        expect(rings).toBe(1);
      }));

    test("a commit is sealed once where a statement of it wants that and was stored, and no other commit is", () =>
      withTable(async (db) => {
        const unsealed: Statement = { sql: "SELECT name FROM t WHERE n < 0 ORDER BY name", params: [] };
        const seals: unknown[] = [];
        db.sealWith({
          select: unsealed,
          seal(rows) {
            seals.push(rows.map(({ name }) => name));
            return [{ sql: "UPDATE t SET n = -n WHERE n < 0", params: [] }];
          },
        });
        const sealed = (name: string, n: number): Statement => ({ ...insert(name, n), wantsSeal: true });
        await db.transact([insert("a", 1)]);
        const lost = db.transact([sealed("lost", -9), move("a", 99, 100)]);
        await Promise.all([db.transact([sealed("b", -2)]), expect(lost).rejects.toThrow(ClaimLost)]);
        await Promise.all([db.transact([sealed("c", -3), sealed("d", -4)]), db.transact([sealed("e", -5)])]);
        expect(seals).toEqual([["b"], ["c", "d", "e"]]);
        expect((await db.all(all)).map((row) => row["n"])).toEqual([1, 2, 3, 4, 5]);
      }));

    test("what cannot be sealed is not stored", () =>
      withTable(async (db) => {
        db.sealWith({ select: all, seal: () => [{ sql: "UPDATE t SET n = NULL", params: [] }] });
        const refused = db.transact([{ ...insert("a", 1), wantsSeal: true }]);
        await expect(refused).rejects.toMatchObject({ reason: "STORAGE_FAILED" });
        await db.transact([insert("b", 1)]);
        expect((await db.all(all)).map((row) => row["name"])).toEqual(["b"]);
      }));

    test("reading ends where it is told to", () =>
      withTable(async (db) => {
        await db.transact(["a", "b", "c"].map((name) => insert(name, 1)));
        expect(await db.all<{ name: string }>(all, (row) => row.name === "b")).toHaveLength(2);
        await db.transact([insert("d", 1)]);
      }));

    test("several reads are of one moment", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 1)]);
        const [first, second] = await db.read([all, all]);
        expect(first).toEqual(second);
      }));

    test("several reads end where each is told to", () =>
      withTable(async (db) => {
        await db.transact([insert("a", 1), insert("b", 2), insert("c", 3)]);
        const [whole, cut] = await db.read([all, { ...all, stop: (row) => row["n"] === 2 }]);
        expect([whole?.length, cut?.length]).toEqual([3, 2]);
      }));

    test("what is taken from memory with a read is of the same moment, also in the middle of a commit", () =>
      withTable(async (db) => {
        const memory: string[] = [];
        const looks: Promise<boolean>[] = [];
        const look = (): Promise<boolean> =>
          db.read(
            [all],
            ([rows = []]) => rows.length === memory.length && rows.every(({ name }, i) => name === memory[i]),
          );
        await new Promise<void>((resolve) => {
          for (let i = 0; i < 50; i++) {
            const name = String(100 + i);
            db.enqueue({
              statements: [insert(name, i)],
              settle() {
                // Memory takes up the commit one after the other; who asks meanwhile is answered after the last.
                looks.push(look());
                memory.push(name);
                if (memory.length === 50) resolve();
              },
            });
            looks.push(look());
          }
        });
        looks.push(look());
        const answers = await Promise.all(looks);
        expect(answers).toHaveLength(101);
        expect(answers.every(Boolean)).toBe(true);
      }));

    test("bytes, text in any script, and numbers up to 2^53 come back as they went in", () =>
      withTable(async (db) => {
        await db.transact([{ sql: "CREATE TABLE v (i INTEGER, t TEXT, b BLOB)", params: [] }]);
        const values = [Number.MAX_SAFE_INTEGER, "naïve 🐦 \u0000 عربى", new Uint8Array([0, 255, 10])] as const;
        await db.transact([{ sql: "INSERT INTO v (i, t, b) VALUES (?, ?, ?)", params: values }]);
        const row = await db.get<{ i: number; t: string; b: Uint8Array }>({ sql: "SELECT i, t, b FROM v", params: [] });
        expect([row?.i, row?.t, Uint8Array.from(row?.b ?? [])]).toEqual(values);
      }));
  });
}
