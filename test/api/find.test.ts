import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Role, SessionState } from "../../src/client/client.ts";
import { SessionOrder, type SearchHit } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { createSession, refusalOf, runTurn } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startTestEngine();
});

afterAll(async () => {
  await engine.dispose();
});

type ListRequest = Parameters<TestEngine["sessions"]["listSessions"]>[0];
type SearchRequest = Parameters<TestEngine["sessions"]["searchMessages"]>[0];

async function idsOf(request: ListRequest): Promise<string[]> {
  return (await engine.sessions.listSessions(request)).sessions.map(({ id }) => id);
}

async function search(request: SearchRequest): Promise<SearchHit[]> {
  return (await engine.sessions.searchMessages(request)).hits;
}

function shown({ snippet }: SearchHit): string {
  return snippet.map(({ text, isMatch }) => (isMatch ? `[${text}]` : text)).join("");
}

describe("ListSessions", () => {
  it("filters by all that is asked for, and orders", async () => {
    const labels = { list: "filters" };
    const apple = await createSession(engine, { title: "Ä big apple", labels, profile: "demo" });
    const pear = await createSession(engine, { title: "a Big pear", labels: { ...labels, kind: "fruit" } });
    await engine.sessions.updateSession({ sessionId: apple.id, starred: true });
    expect(await idsOf({ labels })).toEqual([pear.id, apple.id]);
    expect(await idsOf({ labels, order: SessionOrder.CREATE_TIME_ASC })).toEqual([apple.id, pear.id]);
    expect(await idsOf({ labels, order: SessionOrder.UPDATE_TIME_DESC })).toEqual([apple.id, pear.id]);
    expect(await idsOf({ labels, order: SessionOrder.TITLE_ASC })).toEqual([apple.id, pear.id]);
    expect(await idsOf({ labels, query: "app BIG" })).toEqual([apple.id]);
    expect(await idsOf({ labels: { ...labels, kind: "fruit" } })).toEqual([pear.id]);
    expect(await idsOf({ labels, starred: true })).toEqual([apple.id]);
    expect(await idsOf({ labels, starred: false })).toEqual([pear.id]);
    expect(await idsOf({ labels, profile: "demo" })).toEqual([pear.id, apple.id]);
    expect(await idsOf({ labels, profile: "gone" })).toEqual([]);
    expect(await idsOf({ labels, states: [SessionState.RUNNING] })).toEqual([]);
    expect(await idsOf({ labels, states: [SessionState.RUNNING, SessionState.IDLE, SessionState.IDLE] })).toHaveLength(
      2,
    );
  });

  it("gives pages whose token is good for the same filter and order only", async () => {
    const labels = { list: "pages", other: "x" };
    const ids: string[] = [];
    for (const title of ["same", "same", "Same", "a", "b"])
      ids.push((await createSession(engine, { title, labels })).id);
    const order = SessionOrder.TITLE_ASC;
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await engine.sessions.listSessions({ labels, order, pageSize: 2, pageToken });
      seen.push(...page.sessions.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual([ids[3], ids[4], ids[0], ids[1], ids[2]]);

    const first = await engine.sessions.listSessions({ labels, order, pageSize: 2 });
    const same = { labels: { other: "x", list: "pages" }, order, pageToken: first.nextPageToken };
    expect(await idsOf(same)).toEqual([ids[0], ids[1], ids[2]]);
    const others: ListRequest[] = [
      { ...same, order: SessionOrder.CREATE_TIME_DESC },
      { ...same, labels: { list: "pages" } },
      { ...same, query: "same" },
      { ...same, starred: false },
      { ...same, states: [SessionState.IDLE] },
      { ...same, workspace: "/" },
      { ...same, profile: "demo" },
    ];
    for (const other of others) {
      const refusal = await refusalOf(engine.sessions.listSessions(other));
      expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_PAGE_TOKEN" });
    }
  });

  it("finds by labels in any script, and by none that only look alike", async () => {
    const labels = { "ключ 🗝": "значение = 'x' \" \\ \u0001", __proto__x: "", "a=b": "c" };
    const { id } = await createSession(engine, { labels });
    expect(await idsOf({ labels })).toEqual([id]);
    expect(await idsOf({ labels: { "a=b": "C" } })).toEqual([]);
    expect(await idsOf({ labels: { a: "b=c" } })).toEqual([]);
    expect(await idsOf({ labels: { __proto__x: "" } })).toEqual([id]);
  });

  it.each(["!!", "\u0000", "🐦🐦", " ".repeat(1000), '""'])("refuses the query %j", async (query) => {
    const refusal = await refusalOf(engine.sessions.listSessions({ query }));
    expect(refusal).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_QUERY", metadata: { field: "query" } });
  });
});

describe("a session's workspace", () => {
  it("is the folder itself, whatever it is called by, and lists filter by it, also when it is gone", async () => {
    const place = await realpath(await mkdtemp(join(tmpdir(), "parley-find-")));
    const folder = join(place, "ordner ü");
    const link = join(place, "link");
    await mkdir(folder);
    await symlink(folder, link);
    const { id, workspace } = await createSession(engine, { workspace: `${link}/.` });
    expect(workspace).toBe(folder);
    expect((await engine.sessions.getSession({ sessionId: id })).session?.workspace).toBe(folder);
    for (const path of [folder, link, `${folder}/`, `${link}/../link`])
      expect(await idsOf({ workspace: path })).toEqual([id]);
    expect(await idsOf({ workspace: engine.dataDir })).toEqual([]);
    await rm(folder, { recursive: true });
    expect(await idsOf({ workspace: `${folder}/` })).toEqual([id]);
    await rm(place, { recursive: true });
  });

  it("is repeated with the same key, also when the folder is gone", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parley-find-"));
    const request = { idempotencyKey: "workspace", workspace: folder };
    const { id } = await createSession(engine, request);
    await rm(folder, { recursive: true });
    expect((await createSession(engine, request)).id).toBe(id);
  });

  it("is refused where it is no folder that can be looked at", async () => {
    const file = join(engine.dataDir, "file");
    await writeFile(file, "");
    const loop = join(engine.dataDir, "loop");
    await symlink(loop, loop);
    const before = await idsOf({});
    for (const workspace of [
      "relative",
      "~",
      "C:\\x",
      `${file}/x`,
      file,
      loop,
      "/no/such/folder",
      "/a\u0000b",
      `/${"x".repeat(4000)}`,
    ]) {
      const refusal = await refusalOf(engine.sessions.createSession({ workspace }));
      expect({ workspace, ...refusal }).toMatchObject({
        workspace,
        code: "INVALID_ARGUMENT",
        reason: "INVALID_WORKSPACE",
        metadata: { field: "workspace" },
      });
    }
    expect(await idsOf({})).toEqual(before);
    const refusal = await refusalOf(engine.sessions.listSessions({ workspace: "relative" }));
    expect(refusal).toMatchObject({ reason: "INVALID_WORKSPACE" });
  });
});

describe("SearchMessages", () => {
  it("finds what was said in a turn as soon as it is over, and shows where", async () => {
    const { id: sessionId } = await createSession(engine, { title: "searched" });
    await runTurn(engine, sessionId, "echo: die Straße nach Zürich, as fast as you can");
    const hits = await search({ query: "ZURICH strasse*".replace("strasse*", "STRA*") });
    expect(hits.map(({ role }) => role)).toEqual([Role.ASSISTANT, Role.USER]);
    expect(hits[1]).toMatchObject({ sessionId, sessionTitle: "searched", role: Role.USER });
    expect(hits[1]?.createTime).toBeDefined();
    expect(shown(hits[1]!)).toBe("echo: die [Straße] nach [Zürich], as fast as you can");
    const { messages } = await engine.sessions.listMessages({ sessionId });
    expect(messages.map(({ id }) => id)).toEqual(hits.map(({ messageId }) => messageId).toReversed());
    expect(await search({ query: '"nach Zürich"', sessionId, roles: [Role.USER] })).toHaveLength(1);
  });

  it("pages from the newest on, with tokens of this search only", async () => {
    const { id: sessionId } = await createSession(engine);
    for (let i = 0; i < 3; i++) await runTurn(engine, sessionId, `echo: pagewise ${i}, as fast as you can`);
    const all = await search({ query: "pagewise", sessionId });
    expect(all).toHaveLength(6);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await engine.sessions.searchMessages({ query: "pagewise", sessionId, pageSize: 4, pageToken });
      seen.push(...page.hits.map(({ messageId }) => messageId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(all.map(({ messageId }) => messageId));
    const { nextPageToken } = await engine.sessions.searchMessages({ query: "pagewise", sessionId, pageSize: 4 });
    for (const other of [
      { query: "pagewise" },
      { query: "pagewise*", sessionId },
      { query: "pagewise", sessionId, roles: [Role.USER] },
    ]) {
      const refusal = await refusalOf(engine.sessions.searchMessages({ ...other, pageToken: nextPageToken }));
      expect(refusal).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
    }
  });

  it("finds nothing of a session that is deleted, and sees an edit", async () => {
    const { id: sessionId } = await createSession(engine);
    await runTurn(engine, sessionId, "echo: shortlived, as fast as you can");
    const [hit] = await search({ query: "shortlived", roles: [Role.USER] });
    const parts = [{ content: { case: "text" as const, value: "otherwise" } }];
    await engine.sessions.updateMessage({ sessionId, messageId: hit!.messageId, parts });
    expect(await search({ query: "shortlived", roles: [Role.USER] })).toEqual([]);
    expect((await search({ query: "otherwise" })).map(({ messageId }) => messageId)).toEqual([hit!.messageId]);
    await engine.sessions.deleteSession({ sessionId });
    expect(await search({ query: "otherwise" })).toEqual([]);
    expect(await refusalOf(engine.sessions.searchMessages({ query: "x", sessionId }))).toMatchObject({
      code: "NOT_FOUND",
      reason: "SESSION_NOT_FOUND",
    });
  });

  it("says what is wrong with a search that is none", async () => {
    for (const query of ["...", '"', "*", "\u0000", "🐦"]) {
      const refusal = await refusalOf(engine.sessions.searchMessages({ query }));
      expect({ query, ...refusal }).toMatchObject({ query, code: "INVALID_ARGUMENT", reason: "INVALID_QUERY" });
    }
    const huge = await refusalOf(engine.sessions.searchMessages({ query: "x".repeat(100_000) }));
    expect(huge).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD", fields: ["query"] });
  });

  it("finds what was said before a restart", async () => {
    const { id: sessionId } = await createSession(engine);
    await runTurn(engine, sessionId, "echo: remembered, as fast as you can");
    engine = await engine.restart();
    expect(await search({ query: "remembered", sessionId })).toHaveLength(2);
  });
});
