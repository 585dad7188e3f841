import { afterEach, describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "../../test/helpers/fake-clock.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { type AuditDraft, auditEntry } from "./audit-entry.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import { listEntriesBefore, readEnds } from "./audit-store.ts";
import { hashEntry, parseEnd } from "./chain.ts";
import { createScrub } from "./scrub.ts";
import { type KnownEnd, type Verified, verifyChain } from "./verify-chain.ts";

const DAY_MS = 24 * 60 * 60_000;
const ANY = { sessionId: undefined, action: undefined, actor: undefined, sinceMs: undefined };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface World {
  readonly db: Database;
  readonly clock: FakeClock;
  readonly log: AuditLog;
}

async function setUp(secrets: readonly string[] = []): Promise<World> {
  const db = openSqlite(":memory:");
  closers.push(() => db.close());
  const clock = createFakeClock();
  return { db, clock, log: await open(db, clock, secrets) };
}

const open = (db: Database, clock: FakeClock, secrets: readonly string[] = []): Promise<AuditLog> =>
  openAuditLog(db, { clock, scrub: createScrub(secrets), keepMs: 400 * DAY_MS });

/** So many entries, one a day. */
async function fill({ log, clock }: World, count: number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    await log.add({ action: "TOKEN_CREATED", actor: "admin", target: `tok_${i}`, detail: { name: `ci-${i}` } });
    await clock.advance(DAY_MS);
  }
}

/** Something that can be stored once. */
const fact = (name: string): Statement => ({
  sql: "INSERT INTO meta (name, value) VALUES (?, '') ON CONFLICT DO NOTHING",
  params: [name],
  claim: "fact",
});

/** A row that no engine writes. */
const forge = (columns: string, values: string): string =>
  `INSERT INTO audit_entries (seq, time_ms, actor, action, session_id, target, detail${columns})
    VALUES (9, 1, 'eve', 'RULE_CREATED', '', '', '{}'${values})`;

const draft = (actor: string): AuditDraft => ({ action: "RULE_CREATED", timeMs: 1, actor });

/** What somebody with the file can do, who knows about the triggers. */
async function tamper(db: Database, ...sql: string[]): Promise<void> {
  const drops = ["DROP TRIGGER IF EXISTS audit_is_not_changed", "DROP TRIGGER IF EXISTS audit_is_not_removed"];
  await db.transact([...drops, ...sql].map((text): Statement => ({ sql: text, params: [] })));
}

async function verify(db: Database, known: readonly KnownEnd[] = []): Promise<Verified> {
  const { anchor, head } = await readEnds(db);
  const entries = (await listEntriesBefore(db, ANY, undefined, 1e6)).toReversed();
  return verifyChain({ anchor: anchor!, head: head!, entries, known });
}

const problemsOf = async (db: Database): Promise<readonly string[]> => (await verify(db)).problems;

test("entries are numbered and chained in the order in which they were written, also many of one moment", async () => {
  const { db, log } = await setUp();
  await Promise.all(Array.from({ length: 50 }, (_, i) => log.add({ action: "AUTH_FAILED", actor: `a${i}` })));
  await db.transact([auditEntry(draft("one")), auditEntry(draft("two"))]);
  const entries = (await listEntriesBefore(db, ANY, undefined, 100)).toReversed();
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));
  expect(entries.slice(-2).map(({ actor }) => actor)).toEqual(["one", "two"]);
  expect(await verify(db)).toMatchObject({ count: 52, problems: [] });
  expect((await log.head()).seq).toBe(52);
});

test("an entry is there exactly where what it tells of is", async () => {
  const { db } = await setUp();
  await db.transact([fact("a"), auditEntry(draft("first"))]);
  const second = db.transact([auditEntry(draft("second")), fact("a")]);
  const third = db.transact([fact("b"), auditEntry(draft("third"))]);
  await expect(second).rejects.toThrow(ClaimLost);
  await third;
  expect((await listEntriesBefore(db, ANY, undefined, 10)).map(({ actor }) => actor)).toEqual(["third", "first"]);
  expect(await problemsOf(db)).toEqual([]);
});

test("the chain goes on after a restart", async () => {
  const world = await setUp();
  await fill(world, 3);
  const again = await open(world.db, world.clock);
  await again.add({ action: "ENGINE_STARTED", actor: "" });
  expect(await verify(world.db)).toMatchObject({ count: 4, problems: [] });
});

describe("what somebody has done to the log is found:", () => {
  const harms: readonly [string, RegExp, readonly string[]][] = [
    [
      "an entry that was changed",
      /entry 4 is not what it was/,
      ["UPDATE audit_entries SET actor = 'eve' WHERE seq = 4"],
    ],
    ["one whose time was changed", /entry 4 is not what/, ["UPDATE audit_entries SET time_ms = 0 WHERE seq = 4"]],
    ["one removed from the middle", /entry 4 is missing/, ["DELETE FROM audit_entries WHERE seq = 4"]],
    [
      "several removed from the middle",
      /entries 4 to 6 are missing/,
      ["DELETE FROM audit_entries WHERE seq IN (4, 5, 6)"],
    ],
    ["one removed from the end", /entry 8 is missing at the end/, ["DELETE FROM audit_entries WHERE seq = 8"]],
    ["all removed", /entries 1 to 8 are missing at the end/, ["DELETE FROM audit_entries"]],
    ["some removed from the beginning", /entries 1 to 3 are missing/, ["DELETE FROM audit_entries WHERE seq < 4"]],
    [
      "the beginning removed as if for its age",
      /no entry says that they were removed/,
      [
        "UPDATE audit_ends SET seq = 3, hash = (SELECT hash FROM audit_entries WHERE seq = 3) WHERE name = 'anchor'",
        "DELETE FROM audit_entries WHERE seq < 4",
      ],
    ],
    [
      "two that were swapped",
      /entry 4 is not what it was/,
      [
        "UPDATE audit_entries SET seq = 9 - seq + 100 WHERE seq IN (4, 5)",
        "UPDATE audit_entries SET seq = seq - 100 WHERE seq > 100",
      ],
    ],
    ["one without a hash appended", /entry 9 has no hash/, [forge("", "")]],
    [
      "one moved to another place with its neighbours' hashes",
      /entry 4 is not what it was/,
      [
        "UPDATE audit_entries SET detail = '{}' WHERE seq = 4",
        "UPDATE audit_entries SET prev_hash = zeroblob(32) WHERE seq = 5",
      ],
    ],
  ];

  test.each(harms)("%s", async (_name, problem, sql) => {
    const world = await setUp();
    await fill(world, 8);
    expect(await verify(world.db)).toMatchObject({ count: 8, problems: [] });
    await tamper(world.db, ...sql);
    expect((await problemsOf(world.db)).join("\n")).toMatch(problem);
  });

  test("one with the right hash that was appended behind the back of the engine, and it stays found", async () => {
    const world = await setUp();
    await fill(world, 8);
    const { hash: prevHash } = await world.log.head();
    const entry = { seq: 9, timeMs: 1, actor: "eve", action: "RULE_CREATED", sessionId: "", target: "", detail: "{}" };
    await tamper(world.db);
    await world.db.transact([
      {
        sql: `INSERT INTO audit_entries (seq, time_ms, actor, action, session_id, target, detail, prev_hash, hash)
          VALUES (9, 1, 'eve', 'RULE_CREATED', '', '', '{}', ?, ?)`,
        params: [prevHash, hashEntry(prevHash, entry)],
      },
    ]);
    expect(await problemsOf(world.db)).toEqual(["entry 9 is no engine's: the log ended before"]);
    const again = await open(world.db, world.clock);
    await again.add({ action: "ENGINE_STARTED", actor: "" });
    expect(await problemsOf(world.db)).toEqual(["entry 10 does not follow the one before it"]);
    const [, damaged] = await listEntriesBefore(world.db, ANY, undefined, 2);
    expect(damaged).toMatchObject({ action: "AUDIT_DAMAGED" });
  });

  test("one without a hash that was appended before a start gets none from it", async () => {
    const world = await setUp();
    await fill(world, 8);
    await tamper(world.db, forge("", ""));
    const again = await open(world.db, world.clock);
    await again.add({ action: "ENGINE_STARTED", actor: "" });
    expect(await problemsOf(world.db)).toEqual(["entry 9 has no hash: no engine wrote it"]);
  });

  test("an end cut off together with the head, by an end that was written down elsewhere", async () => {
    const world = await setUp();
    await fill(world, 8);
    const known = [{ ...(await world.log.head()), where: "the log of a stop" }];
    expect((await verify(world.db, known)).problems).toEqual([]);
    await tamper(
      world.db,
      "DELETE FROM audit_entries WHERE seq > 5",
      "UPDATE audit_ends SET seq = 5, hash = (SELECT hash FROM audit_entries WHERE seq = 5) WHERE name = 'head'",
    );
    expect(await problemsOf(world.db)).toEqual([]);
    const [problem] = (await verify(world.db, known)).problems;
    expect(problem).toBe("the log of a stop says that there was an entry 8, and the log ends at 5");
    // And however much is written behind it.
    await fill(world, 5);
    expect((await verify(world.db, known)).problems).toEqual(["entry 8 is not the one that the log of a stop knows"]);
  });
});

test("an entry can be neither changed nor removed by a mistake of the engine", async () => {
  const world = await setUp();
  await fill(world, 2);
  for (const sql of ["UPDATE audit_entries SET actor = 'x' WHERE seq = 1", "DELETE FROM audit_entries WHERE seq = 1"]) {
    await expect(world.db.transact([{ sql, params: [] }])).rejects.toThrow("an entry of the audit log is");
  }
  expect(await verify(world.db)).toMatchObject({ count: 2, problems: [] });
});

test("old entries go, those that are not old enough stay, and the rest is verified from where it begins", async () => {
  const world = await setUp();
  const { db, log, clock } = world;
  await fill(world, 10);
  await log.trim();
  expect(await verify(db)).toMatchObject({ count: 10, problems: [] });
  await clock.advance(393 * DAY_MS);
  await log.trim();
  // Three of them are older than 400 days; their removal is an entry itself.
  expect((await listEntriesBefore(db, ANY, undefined, 100)).map(({ seq }) => seq)).toEqual([11, 10, 9, 8, 7, 6, 5, 4]);
  expect(await verify(db)).toMatchObject({ count: 8, problems: [] });
  await clock.advance(1000 * DAY_MS);
  await log.trim();
  expect(await verify(db)).toMatchObject({ count: 1, problems: [] });
  await fill(world, 2);
  expect(await verify(db)).toMatchObject({ count: 3, problems: [] });
});

test("thousands of old entries go in pieces", async () => {
  const { db, log, clock } = await setUp();
  await db.transact(Array.from({ length: 4500 }, () => auditEntry({ ...draft("x"), timeMs: clock.now() })));
  await clock.advance(401 * DAY_MS);
  await log.trim();
  const { anchor } = await readEnds(db);
  expect(anchor?.seq).toBe(4500);
  expect((await verify(db)).problems).toEqual([]);
});

test("known secrets and tokens are not stored, wherever they come", async () => {
  const secret = 'sk-"quoted"-1234567890';
  const token = `parley_${"a".repeat(43)}`;
  const { db, log } = await setUp([secret, "short"]);
  const command = `curl -H "x: ${secret}" -H "authorization: Bearer ${token}" https://example.com short`;
  const args = JSON.stringify({ command: secret });
  const detail = { command, arguments: args, nested: { list: [token] } };
  await log.add({ action: "TOOL_STARTED", actor: "", target: secret, detail });
  const [entry] = await listEntriesBefore(db, ANY, undefined, 1);
  expect(entry?.target).toBe("[redacted]");
  expect(JSON.parse(entry!.detail)).toEqual({
    command: 'curl -H "x: [redacted]" -H "authorization: Bearer [redacted]" https://example.com short',
    arguments: '{"command":"[redacted]"}',
    nested: { list: ["[redacted]"] },
  });
  expect(await problemsOf(db)).toEqual([]);
});

test("a detail that is too large is cut, and stays JSON", async () => {
  const { db, log } = await setUp();
  await log.add({ action: "TOOL_STARTED", actor: "", detail: { tool: "write_file", text: "\u0000😀".repeat(1e6) } });
  await log.add({ action: "TOOL_STARTED", actor: "", detail: { many: Array.from({ length: 1e5 }, (_, i) => i) } });
  await log.add({ action: "TOOL_STARTED", actor: "", target: "x".repeat(1e6), detail: { half: "\ud83d" } });
  const [half, many, long] = await listEntriesBefore(db, ANY, undefined, 3);
  expect(JSON.parse(long!.detail)).toMatchObject({
    tool: "write_file",
    text: expect.stringContaining("characters]") as unknown,
  });
  expect(JSON.parse(many!.detail)).toHaveProperty("cut");
  expect(half!.target.length).toBeLessThan(1100);
  for (const { detail } of [half!, many!, long!]) expect(Buffer.byteLength(detail)).toBeLessThanOrEqual(8192);
  expect(await problemsOf(db)).toEqual([]);
});

test("entries are listed by session, action, actor and time, the newest first, page by page", async () => {
  const world = await setUp();
  const { db, log, clock } = world;
  await fill(world, 4);
  await log.add({ action: "RULE_CREATED", actor: "ci", sessionId: "ses_1" });
  await clock.advance(1);
  await log.add({ action: "RULE_CREATED", actor: "admin", sessionId: "ses_2" });
  const seqs = async (filter: object, before?: number, limit = 100): Promise<number[]> =>
    (await listEntriesBefore(db, { ...ANY, ...filter }, before, limit)).map(({ seq }) => seq);
  expect(await seqs({ sessionId: "ses_1" })).toEqual([5]);
  expect(await seqs({ action: "RULE_CREATED" })).toEqual([6, 5]);
  expect(await seqs({ actor: "admin" })).toEqual([6, 4, 3, 2, 1]);
  expect(await seqs({ actor: "admin", action: "RULE_CREATED" })).toEqual([6]);
  expect(await seqs({ sinceMs: clock.now() })).toEqual([6]);
  expect(await seqs({ sinceMs: clock.now() + 1 })).toEqual([]);
  expect(await seqs({ sinceMs: 0 }, 5, 2)).toEqual([4, 3]);
  expect(await seqs({ sessionId: "ses_none" })).toEqual([]);
});

test("an end is written as text and read again, and what is none is not", () => {
  expect(parseEnd(`12:${"ab".repeat(32)}`)).toEqual({ seq: 12, hash: Buffer.alloc(32, 0xab) });
  for (const text of ["", "12", "12:", `x:${"ab".repeat(32)}`, `12:${"ab".repeat(31)}`, `-1:${"ab".repeat(32)}`]) {
    expect(parseEnd(text)).toBeUndefined();
  }
});
