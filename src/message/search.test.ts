import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { DomainError } from "../errors.ts";
import { newId } from "../id.ts";
import { insertSession, getSession, removeSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import type { Message, Part, Role } from "./message.ts";
import { completeMessage, insertMessage } from "./message-store.ts";
import { createSearchIndex, type SearchIndex } from "./search-index.ts";
import { readSnippet, searchMessages, type Search } from "./search-messages.ts";

const clock = createFakeClock();
const never = new AbortController().signal;
let db: Database;
let searchIndex: SearchIndex;
let seq = 0;

beforeEach(() => {
  db = openSqlite(":memory:", clock);
  searchIndex = createSearchIndex(db, clock, (what, error) => {
    throw new Error(what, { cause: error });
  });
});

afterEach(async () => {
  await searchIndex.close();
  await db.close();
});

async function addSession(title = "a session"): Promise<number> {
  const id = newId("ses");
  const settings = { title, profile: "demo", model: "", systemPrompt: "", workspace: "", labels: {}, starred: false };
  await db.transact(
    insertSession(
      id,
      { ...settings, limits: DEFAULT_LIMITS, resumeAfterRestart: false, retryPartial: false, approvalMode: "default" },
      clock.now(),
    ),
  );
  return (await getSession(db, id)).key;
}

function makeMessage(parts: string | readonly Part[], role: Role = "user", status: Message["status"] = "complete") {
  return {
    id: newId("msg"),
    sessionId: "ses_x",
    turnId: "",
    role,
    status,
    parts: typeof parts === "string" ? [{ kind: "text" as const, text: parts }] : parts,
    model: "",
    usage: undefined,
    createTimeMs: clock.now(),
  };
}

async function say(sessionKey: number, parts: string | readonly Part[], role: Role = "user"): Promise<string> {
  const message = makeMessage(parts, role);
  await db.transact([insertMessage(sessionKey, message, ++seq)]);
  return message.id;
}

async function found(query: string, more: Partial<Search> = {}, limit = 100): Promise<string[]> {
  const search = { query, sessionKey: undefined, roles: [], ...more };
  const rows = await searchMessages({ db, searchIndex }, search, undefined, limit, never);
  return rows.map(({ messageId }) => messageId);
}

describe("a search", () => {
  it("finds what was committed before it, the last stored first", async () => {
    const session = await addSession();
    const first = await say(session, "the quick brown fox");
    const second = await say(session, "a fox, again");
    expect(await found("fox")).toEqual([second, first]);
    expect(await found("fox", {}, 1)).toEqual([second]);
    const third = await say(session, "FOX!");
    expect(await found("fox")).toEqual([third, second, first]);
  });

  it("would miss what was just committed if it did not catch up first", async () => {
    const session = await addSession();
    await say(session, "the quick brown fox");
    const late: SearchIndex = { ...searchIndex, catchUp: () => Promise.resolve() };
    const search = { query: "fox", sessionKey: undefined, roles: [] };
    expect(await searchMessages({ db, searchIndex: late }, search, undefined, 10, never)).toEqual([]);
    expect(await found("fox")).toHaveLength(1);
  });

  it("wants all words, in any order, case and accents", async () => {
    const session = await addSession();
    const id = await say(session, "Ein Übermaß an Éclairs im CAFÉ, naïve");
    for (const query of [
      "cafe eclairs",
      "CAFÉ ÜBERMASS naive".replace("ÜBERMASS", "übermaß"),
      "NAÏVE",
      "e\u0301clairs",
    ]) {
      expect({ query, ids: await found(query) }).toEqual({ query, ids: [id] });
    }
    expect(await found("cafe tea")).toEqual([]);
    expect(await found("caf")).toEqual([]);
  });

  it("takes quotes for words that follow one another, and a star for the rest of a word", async () => {
    const session = await addSession();
    const id = await say(session, "to be or not to be, that is the question");
    expect(await found('"not to be"')).toEqual([id]);
    expect(await found('"be not"')).toEqual([]);
    expect(await found("quest*")).toEqual([id]);
    expect(await found("q*")).toEqual([id]);
    expect(await found('"or not" ques* th*')).toEqual([id]);
    expect(await found('"to be or')).toEqual([id]);
    expect(await found("uest*")).toEqual([]);
  });

  it.each([
    "a OR b",
    "a NOT b",
    "words:a",
    "{words}: a",
    "NEAR(a b, 3)",
    "a + b",
    "^a",
    "(a",
    "a)",
    '""a',
    "a'--",
    "a;DROP TABLE messages",
    "=s1 a",
    "=ruser",
    "a*b*",
    "a\u0000b",
    "a\\",
    "-a",
    "AND",
    "a\u{1F426}",
  ])("takes %j for text, never for syntax", async (query) => {
    const session = await addSession();
    await say(session, "x");
    const id = await say(session, `here it is: ${query} .`);
    expect(await found(query)).toEqual([id]);
  });

  it.each(["!?", '"', "***", "  ", "\u{1F426}", "=", "-", "\u0000"])(
    "refuses %j, which holds no word",
    async (query) => {
      await expect(found(query)).rejects.toMatchObject({ code: "invalid", reason: "INVALID_QUERY" });
    },
  );

  it("finds inside of scripts that put no space between words", async () => {
    const session = await addSession();
    const id = await say(session, "今日はいい天気ですね。Tokyo東京");
    for (const query of ["天気", "いい天気", "東京", "tokyo", '"今日は"', "天*"]) {
      expect({ query, ids: await found(query) }).toEqual({ query, ids: [id] });
    }
    expect(await found("気天")).toEqual([]);
    const thai = await say(session, "สวัสดีครับ");
    expect(await found("ครับ")).toEqual([thai]);
    const hindi = await say(session, "हिन्दी में");
    expect(await found("हिन्दी")).toEqual([hindi]);
  });

  it("looks at texts and what tools answered, and not at what a model thought", async () => {
    const session = await addSession();
    const id = await say(session, [
      { kind: "reasoning", text: "secretly" },
      { kind: "text", text: "openly" },
      { kind: "tool_call", callId: "c", providerCallId: "p", name: "named", arguments: { key: "argued" } },
    ]);
    const tool = await say(
      session,
      [{ kind: "tool_result", callId: "c", outcome: "succeeded", text: "answered" }],
      "tool",
    );
    expect(await found("openly")).toEqual([id]);
    expect(await found("answered")).toEqual([tool]);
    for (const hidden of ["secretly", "named", "argued", "text", "kind"]) expect(await found(hidden)).toEqual([]);
  });

  it("looks at one session, or at some roles, only", async () => {
    const [one, two] = [await addSession(), await addSession()];
    const question = await say(one, "shared word");
    const answer = await say(one, "shared word", "assistant");
    const other = await say(two, "shared word");
    expect(await found("shared")).toEqual([other, answer, question]);
    expect(await found("shared", { sessionKey: one })).toEqual([answer, question]);
    expect(await found("shared", { sessionKey: two, roles: ["assistant"] })).toEqual([]);
    expect(await found("shared", { roles: ["assistant", "tool"] })).toEqual([answer]);
  });

  it("sees a message once it is whole, as it was edited, and no longer when it is gone", async () => {
    const session = await addSession();
    const draft = { ...makeMessage("half", "assistant", "streaming"), parts: [] };
    await db.transact([insertMessage(session, draft, ++seq)]);
    expect(await found("half")).toEqual([]);
    await db.transact([completeMessage({ ...makeMessage("half and whole", "assistant"), id: draft.id })]);
    expect(await found("half whole")).toEqual([draft.id]);
    const edited = JSON.stringify([{ kind: "text", text: "changed" }]);
    await db.transact([{ sql: "UPDATE messages SET parts = ? WHERE id = ?", params: [edited, draft.id] }]);
    expect(await found("half")).toEqual([]);
    expect(await found("changed")).toEqual([draft.id]);
    await db.transact([{ sql: "DELETE FROM messages WHERE id = ?", params: [draft.id] }]);
    expect(await found("changed")).toEqual([]);
    await searchIndex.catchUp(never);
    expect(
      await db.all({ sql: "SELECT rowid FROM message_index WHERE message_index MATCH 'changed'", params: [] }),
    ).toEqual([]);
  });

  it("finds nothing of a session that was removed, before its rows are", async () => {
    const key = await addSession();
    await say(key, "gone");
    const [{ id } = { id: "" }] = await db.all<{ id: string }>({ sql: "SELECT id FROM sessions", params: [] });
    await searchIndex.catchUp(never);
    await db.transact(removeSession(await getSession(db, id), clock.now()));
    expect(await found("gone")).toEqual([]);
  });

  it("finds all of many, over many pieces, each once", async () => {
    const session = await addSession();
    const ids: string[] = [];
    for (let i = 0; i < 350; i++) ids.unshift(await say(session, `number ${i} of all ${"x".repeat(500)}`));
    expect(await found("all", {}, 1000)).toEqual(ids);
  });
});

async function countUnindexed(): Promise<number | undefined> {
  return (await db.get<{ n: number }>({ sql: "SELECT count(*) AS n FROM unindexed_messages", params: [] }))?.n;
}

/** With the matches in brackets. */
async function snippet(text: string, query: string): Promise<string> {
  const id = await say(await addSession(), text);
  const row = await db.get<{ key: number }>({ sql: "SELECT key FROM messages WHERE id = ?", params: [id] });
  const pieces = await readSnippet(db, { query, sessionKey: undefined, roles: [] }, row?.key ?? 0);
  return pieces.map((piece) => (piece.isMatch ? `[${piece.text}]` : piece.text)).join("");
}

describe("the index", () => {
  it("is written in the background, about once a second, and no more after its end", async () => {
    const session = await addSession();
    searchIndex.start();
    await say(session, "one");
    expect(await countUnindexed()).toBe(1);
    await clock.advance(1000);
    expect(await countUnindexed()).toBe(0);
    await say(session, "two");
    await clock.advance(1000);
    expect(await countUnindexed()).toBe(0);
    await searchIndex.close();
    expect(clock.timers()).toBe(0);
    await say(session, "three");
    await clock.advance(5000);
    expect(await countUnindexed()).toBe(1);
  });

  it("is written piece by piece where there is much, and leaves time between them", async () => {
    const session = await addSession();
    for (let i = 0; i < 120; i++) await say(session, `number ${i}`);
    searchIndex.start();
    await clock.advance(999);
    expect(await countUnindexed()).toBe(120);
    await clock.advance(1);
    expect(await countUnindexed()).toBe(0);
  });

  it("is left for later where the disk refuses it, and what is indexed is found all the same", async () => {
    const session = await addSession();
    const first = await say(session, "first word");
    expect(await found("word")).toEqual([first]);
    await say(session, "second word");
    const full: Database = {
      ...db,
      transact: () => Promise.reject(new DomainError("exhausted", "STORAGE_FULL", "the disk is full")),
    };
    const stuck = createSearchIndex(full, clock, () => expect.unreachable("a full disk is no bug"));
    const search = { query: "word", sessionKey: undefined, roles: [] };
    const rows = await searchMessages({ db, searchIndex: stuck }, search, undefined, 10, never);
    expect(rows.map(({ messageId }) => messageId)).toEqual([first]);
    stuck.start();
    await clock.advance(3000);
    expect(await countUnindexed()).toBe(1);
    await stuck.close();
    expect(await found("word")).toHaveLength(2);
  });

  it("gives up catching up when nobody waits any more", async () => {
    const session = await addSession();
    await say(session, "one");
    await expect(searchIndex.catchUp(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  });
});

describe("a snippet", () => {
  it("shows a short text whole, with each match", async () => {
    expect(await snippet("The Fox and the fôx.", "fox")).toBe("The [Fox] and the [fôx].");
    expect(await snippet("to be or not to be", '"to be" not')).toBe("[to be] or [not] [to be]");
    expect(await snippet("foxes fox boxes", "fox*")).toBe("[foxes] [fox] boxes");
    expect(await snippet("a-b a b", "a-b")).toBe("[a-b] [a b]");
    expect(await snippet("いい天気です", "天気")).toBe("いい[天気]です");
  });

  it("shows about 200 characters around the first match of a long text, cut between words", async () => {
    const text = `${"before ".repeat(5000)}needle ${"after ".repeat(5000)}`;
    const shown = await snippet(text, "needle");
    expect(shown).toMatch(/^…(before )+\[needle\] (after )+after…$/);
    expect(shown.length).toBeGreaterThan(150);
    expect(shown.length).toBeLessThan(230);
  });

  it.each([
    ["word ", "needle", "[needle]"],
    ["слово ", "ИГОЛКА", "[иголка]"],
    ["今日は天気", "針", "[針]"],
    ["🐦", "needle", "[needle]"],
  ])("finds a match far in a long text of %j", async (filler, query, match) => {
    for (const length of [16_380, 16_384, 16_390, 200_000]) {
      const text = `${filler.repeat(length / filler.length)} ${query.toLowerCase()}`;
      expect(await snippet(text, query)).toMatch(
        new RegExp(`^….+ ?${match.replace("[", "\\[").replace("]", "\\]")}$`, "u"),
      );
    }
  });

  it("never cuts through a character", async () => {
    for (let shift = 0; shift < 4; shift++) {
      const shown = await snippet(`${"x".repeat(shift)}${"🐦".repeat(300)} needle ${"🐦".repeat(300)}`, "needle");
      expect(shown.isWellFormed()).toBe(true);
      expect(shown).toContain("[needle]");
    }
  });

  it("shows what it can of a phrase that is longer than itself", async () => {
    const phrase = Array.from({ length: 90 }, (_, i) => `word${i}`).join(" ");
    expect(await snippet(`so ${phrase} and on`, `"${phrase}"`)).toMatch(/^so \[word0 word1 .+\]…$/);
  });
});
