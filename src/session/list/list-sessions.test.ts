import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import type { Database, Statement } from "../../store/database.ts";
import { openSqlite } from "../../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../../turn/turn.ts";
import { dropDraft, insertDraft, publishDraft } from "../draft-store.ts";
import { listSessions, type ListedSession, type SessionFilter, type SessionOrder } from "./list-sessions.ts";
import type { SessionSettings } from "../session.ts";
import { getSession, insertSession, removeSession, setIdle, setRunning, updateSettings } from "../session-store.ts";

const clock = createFakeClock();
const ALL: SessionFilter = { query: "", labels: {}, states: [], starred: undefined, workspace: "", profile: "" };
const PLAIN: SessionSettings = {
  title: "",
  profile: "demo",
  model: "",
  systemPrompt: "",
  workspace: "",
  labels: {},
  limits: DEFAULT_LIMITS,
  starred: false,
  resumeAfterRestart: false,
  retryPartial: false,
  approvalMode: "default",
};

/** More than are looked up one by one, so that each way to a page is taken. */
const COUNT = 6000;
const ORDERS: readonly SessionOrder[] = ["create_desc", "create_asc", "update_desc", "title_asc"];
let db: Database;
/** What is in the store, as a list to be filtered and sorted by hand. */
const model: {
  id: string;
  settings: SessionSettings;
  createTimeMs: number;
  updateTimeMs: number;
  running: boolean;
  parentSessionId: string;
}[] = [];

beforeAll(async () => {
  db = openSqlite(":memory:", clock);
  const statements: Statement[] = [];
  for (let i = 0; i < COUNT; i++) {
    const settings = {
      ...PLAIN,
      // Titles come twice, so that their order is that of the keys, too.
      title: `${i % 3 === 0 ? "Fix" : "BUILD"} the ${["parser", "Écran", "日本語の本"][i % 3]} ${i % 1500}`,
      profile: i % 2 === 0 ? "demo" : "openai",
      workspace: `/w/${i % 4}`,
      labels: { half: i < COUNT / 2 ? "old" : "new", team: `t${i % 500}` },
      starred: i % 700 === 0,
    };
    const entry = {
      id: `ses_${String(i).padStart(5, "0")}`,
      settings,
      // Some begin in the same millisecond; the order of changes is another one.
      createTimeMs: 1_000_000 + Math.floor(i / 2),
      updateTimeMs: 2_000_000 + ((i * 7919) % COUNT),
      running: i % 900 === 0,
      // A family: many have no parent, few the same one, all of the last ones another.
      parentSessionId: i >= COUNT - 1200 ? "ses_00001" : i % 400 === 7 ? "ses_00000" : "",
    };
    model.push(entry);
    const { createTimeMs, updateTimeMs, parentSessionId: sessionId } = entry;
    const parent = { sessionId, turnId: "turn_1", callId: "call_1", rootSessionId: sessionId };
    const origin = { createTimeMs, updateTimeMs, ...(sessionId !== "" && { parent }) };
    statements.push(
      ...insertSession(entry.id, settings, clock.now(), origin),
      ...(entry.running ? setRunning(entry.id, "turn_1", "", 0) : []),
    );
    if (entry.running) entry.updateTimeMs++;
    if (i % 50 === 49) await db.transact(statements.splice(0));
  }
});

afterAll(async () => {
  await db.close();
});

async function page(filter: Partial<SessionFilter>, order: SessionOrder, limit = 50, after?: ListedSession["place"]) {
  return listSessions(db, { filter: { ...ALL, ...filter }, order, after, limit, maxBytes: 1 << 20 });
}

async function find(filter: Partial<SessionFilter>): Promise<string[]> {
  return (await page(filter, "update_desc")).map(({ id }) => id);
}

async function countIndexed(word: string): Promise<number> {
  const sql = "SELECT rowid FROM session_index WHERE session_index MATCH ?";
  return (await db.all({ sql, params: [word] })).length;
}

/** All pages, by their places. */
async function allIds(filter: Partial<SessionFilter>, order: SessionOrder, size: number): Promise<string[]> {
  const ids: string[] = [];
  let after: ListedSession["place"] | undefined;
  for (;;) {
    const sessions = await page(filter, order, size, after);
    ids.push(...sessions.map(({ id }) => id));
    after = sessions.at(-1)?.place;
    if (sessions.length < size) return ids;
  }
}

type Entry = (typeof model)[number];

const FILTERS: readonly [string, Partial<SessionFilter>, (entry: Entry) => boolean][] = [
  ["nothing", {}, () => true],
  ["a word of all", { query: "the" }, () => true],
  ["the beginning of a word, in another case", { query: "buI" }, ({ settings }) => settings.title.startsWith("BUILD")],
  ["a word without its accent", { query: "ecran" }, ({ settings }) => settings.title.includes("Écran")],
  ["a word inside of a script without spaces", { query: "本語" }, ({ settings }) => settings.title.includes("本語")],
  ["words in any order", { query: "17 fix" }, ({ settings }) => /^Fix.* 17\d*$/.test(settings.title)],
  ["a long beginning of a word", { query: "parser" }, ({ settings }) => settings.title.includes("parser")],
  ["a word of none", { query: "zebra" }, () => false],
  ["a star", { starred: true }, ({ settings }) => settings.starred],
  ["no star", { starred: false }, ({ settings }) => !settings.starred],
  ["a profile", { profile: "openai" }, ({ settings }) => settings.profile === "openai"],
  ["a workspace", { workspace: "/w/3" }, ({ settings }) => settings.workspace === "/w/3"],
  ["a rare label", { labels: { team: "t7" } }, ({ settings }) => settings.labels["team"] === "t7"],
  ["the older half", { labels: { half: "old" } }, ({ settings }) => settings.labels["half"] === "old"],
  ["labels that none has", { labels: { half: "old", team: "none" } }, () => false],
  ["a label's name as another's value", { labels: { old: "half" } }, () => false],
  ["idle ones", { states: ["idle"] }, ({ running }) => !running],
  ["running ones", { states: ["running"] }, ({ running }) => running],
  ["no parent", { parentSessionId: "" }, ({ parentSessionId }) => parentSessionId === ""],
  ["a parent of few", { parentSessionId: "ses_00000" }, ({ parentSessionId }) => parentSessionId === "ses_00000"],
  ["a parent of many", { parentSessionId: "ses_00001" }, ({ parentSessionId }) => parentSessionId === "ses_00001"],
  ["a parent of none", { parentSessionId: "ses_00002" }, () => false],
  [
    "running children",
    { parentSessionId: "ses_00001", states: ["running"] },
    ({ parentSessionId, running }) => parentSessionId === "ses_00001" && running,
  ],
  [
    "no parent and a common word",
    { parentSessionId: "", query: "the" },
    ({ parentSessionId }) => parentSessionId === "",
  ],
  [
    "a parent of few and a common label",
    { parentSessionId: "ses_00000", labels: { half: "old" } },
    ({ parentSessionId, settings }) => parentSessionId === "ses_00000" && settings.labels["half"] === "old",
  ],
  [
    "no parent and a rare label",
    { parentSessionId: "", labels: { team: "t7" } },
    ({ parentSessionId, settings }) => parentSessionId === "" && settings.labels["team"] === "t7",
  ],
  ["any state", { states: ["idle", "running"] }, () => true],
  [
    "running ones with a common word",
    { states: ["running"], query: "the", labels: { half: "new" } },
    ({ running, settings }) => running && settings.labels["half"] === "new",
  ],
  [
    "everything at once",
    { query: "the", labels: { half: "new" }, states: ["idle"], starred: false, profile: "demo", workspace: "/w/2" },
    ({ running, settings }) =>
      !running && !settings.starred && settings.workspace === "/w/2" && settings.labels["half"] === "new",
  ],
];

/** Each of these characters is a word. */
function wordsOf(title: string): string {
  const bare = title.toLowerCase().replace("écran", "ecran");
  return bare.replaceAll(/[日本語の]/gu, " $& ").replaceAll(/ +/g, " ");
}

function expected(fits: (entry: Entry) => boolean, order: SessionOrder): string[] {
  const value = ({ settings, createTimeMs, updateTimeMs }: Entry): number | string => {
    if (order === "title_asc") return wordsOf(settings.title);
    return order === "update_desc" ? updateTimeMs : createTimeMs;
  };
  const sign = order.endsWith("desc") ? -1 : 1;
  const entries = model.map((entry, key) => ({ entry, key, value: value(entry) })).filter(({ entry }) => fits(entry));
  entries.sort((a, b) => sign * (a.value < b.value ? -1 : a.value > b.value ? 1 : a.key - b.key));
  return entries.map(({ entry }) => entry.id);
}

describe.each(ORDERS)("in the order %s", (order) => {
  it.each(FILTERS)("lists those with %s, each once, page by page", async (_name, filter, fits) => {
    const ids = expected(fits, order);
    expect(await allIds(filter, order, 500)).toEqual(ids);
    const first = await page(filter, order, 7);
    expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 7));
    const after = first.at(-1)?.place;
    const second = after === undefined ? [] : await page(filter, order, 7, after);
    expect(second.map(({ id }) => id)).toEqual(ids.slice(7, 14));
  });
});

describe("a filter", () => {
  it.each(["!", "-", "*", '"', "\u0000", " ", "=", "🐦"])(
    "refuses the query %j, which holds no word",
    async (query) => {
      await expect(page({ query }, "create_desc")).rejects.toMatchObject({ code: "invalid", reason: "INVALID_QUERY" });
    },
  );

  it.each(["fix OR zebra", "words:fix", "fix NOT the", '"fix', "(fix", "fix*)", "=s1 fix", "^fix"])(
    "takes %j for words, never for syntax",
    async (query) => {
      const ids = (await page({ query }, "create_desc")).map(({ id }) => id);
      const isWord = !/OR|NOT|words|s1/.test(query);
      expect(ids.length).toBe(isWord ? 50 : 0);
    },
  );

  it("sees a session as it is after each change", async () => {
    const id = "ses_change";
    const settings = { ...PLAIN, title: "apfelbaum", labels: { 'a"b': "c=d \u0001 é", __proto__x: "" } };
    await db.transact(insertSession(id, settings, clock.now()));
    expect(await find({ query: "apfel" })).toEqual([id]);
    expect(await find({ labels: settings.labels })).toEqual([id]);

    const before = await getSession(db, id);
    const changed = { ...settings, title: "Birnbaum", labels: { fresh: "yes" }, starred: true, workspace: "/x y/ü" };
    await db.transact(updateSettings(before, changed, before.updateTimeMs + 1));
    expect(await find({ query: "apfel" })).toEqual([]);
    expect(await find({ labels: settings.labels })).toEqual([]);
    expect(await find({ query: "BIRN", labels: { fresh: "yes" }, starred: true, workspace: "/x y/ü" })).toEqual([id]);

    expect(await find({ query: "birn", states: ["running"] })).toEqual([]);
    await db.transact(setRunning(id, "turn_x", "", clock.now()));
    expect(await find({ query: "birn", states: ["running"] })).toEqual([id]);
    await db.transact(setIdle(id, "turn_x", clock.now()));

    await db.transact(removeSession(await getSession(db, id), clock.now()));
    expect(await find({ query: "birn" })).toEqual([]);
    expect(await countIndexed("birnbaum")).toBe(0);
  });

  it("sees the sessions of a draft from the moment they appear, and nothing of one that was dropped", async () => {
    const [kept, dropped] = ["ses_kept", "ses_dropped"];
    const settings = { ...PLAIN, title: "quince" };
    for (const id of [kept, dropped]) await db.transact(insertDraft(id, { id, settings, origin: {} }, clock.now()));
    expect(await find({ query: "quince" })).toEqual([]);
    await db.transact(publishDraft(kept, 1));
    expect(await find({ query: "quince" })).toEqual([kept]);
    await db.transact([...dropDraft(dropped), { sql: "DELETE FROM removed_sessions", params: [] }]);
    expect(await countIndexed("quince")).toBe(1);
    await db.transact(removeSession(await getSession(db, kept), clock.now()));
    expect(await countIndexed("quince")).toBe(0);
  });

  it("ends a page before it is too large", async () => {
    const sessions = await listSessions(db, {
      filter: ALL,
      order: "create_desc",
      after: undefined,
      limit: 100,
      maxBytes: 1,
    });
    expect(sessions).toHaveLength(1);
  });
});
