import type { Stats } from "node:fs";
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, it } from "vitest";
import { RevertOutcome } from "../../src/client/client.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { exported, writeAgent } from "./files.ts";
import { type AskedCall, useFiles } from "./file-world.ts";
import { endOf, kindsOf, listMessages, listSessions, refusalOf, replay, text } from "./observe.ts";
import { says } from "./scripted-upstream.ts";
import { hang } from "./turn-engine.ts";

const PLAIN: Pick<Tool, "description" | "parameters" | "assess"> = {
  description: "A test's.",
  parameters: { type: "object" },
  assess: () => ({ risk: { level: "none", reason: "it is a test's" }, subjects: [] }),
};

/** Begins a change that is cut off: before the file is written, or after it and before that is told. */
const cutOff: Tool = {
  ...PLAIN,
  name: "cut_off",
  run: async (args, { workspace, changes, signal }) => {
    const path = join(workspace, "a.txt");
    const bytes = await readFile(path);
    const stats = { mode: 0o644 } as Stats;
    const after = Buffer.from("after\n");
    const never = new Promise<void>((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    );
    await changes({ path: "a.txt", before: { path, bytes, stats }, after, newFolders: 0 }, async () => {
      if (args["after"] === true) await writeFile(path, after);
      process.emit("cut-off" as never);
      await never;
    });
    return { text: "" };
  },
};

/** Changes a file as a command does, which nobody keeps. */
const command: Tool = {
  ...PLAIN,
  name: "command",
  run: async (args, { workspace }) => {
    const { path, content } = args as { path: string; content: string };
    await writeFile(join(workspace, path), content);
    return { text: "" };
  },
};

const world = useFiles([cutOff, command, hang]);
const write = (path: string, content: string) => ["write_file", { path, content }] as const;

it("says what it would do, then does just that, once", async () => {
  await world.put("src/a.ts", "one\ntwo\n");
  await world.put("run.sh", "#!/bin/sh\n", 0o755);
  const turn = await world.run(
    ["edit_file", { path: "src/a.ts", old_text: "two", new_text: "three" }],
    ["apply_patch", { patch: "--- a/run.sh\n+++ /dev/null\n@@ -1 +0,0 @@\n-#!/bin/sh\n" }],
    write("new/deep/b.txt", "b"),
    write("new/c.txt", "c"),
  );
  const request = { sessionId: world.sessionId, turnId: turn.id };
  const before = await replay(world.engine, world.sessionId);
  const preview = await world.engine.sessions.revertFiles({ ...request, preview: true });
  expect(preview.files.map(({ path }) => path)).toEqual(["new/c.txt", "new/deep/b.txt", "run.sh", "src/a.ts"]);
  expect(preview.files.at(-1)).toMatchObject({
    outcome: RevertOutcome.REVERTED,
    diff: "--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,2 +1,2 @@\n one\n-three\n+two\n",
    addedLines: 1,
    removedLines: 1,
  });
  expect(await world.get("new/c.txt")).toBe("c");
  expect(await replay(world.engine, world.sessionId)).toEqual(before);

  expect((await world.engine.sessions.revertFiles(request)).files).toEqual(preview.files);
  expect((await readdir(world.workspace, { recursive: true })).toSorted()).toEqual(["run.sh", "src", "src/a.ts"]);
  expect(await world.get("src/a.ts")).toBe("one\ntwo\n");
  expect(await world.mode("run.sh")).toBe(0o755);
  const [event] = (await replay(world.engine, world.sessionId)).slice(before.length);
  expect(event).toMatchObject({ actor: "admin", payload: { case: "filesReverted", value: { turnId: turn.id } } });

  expect(await world.revert(turn)).toEqual([]);
  expect(await replay(world.engine, world.sessionId)).toHaveLength(before.length + 1);
});

it("several edits of one file are one, byte for byte: line ends, no last line, a byte order mark", async () => {
  const text = "\ufeffone\r\ntwo\r\nlast";
  await world.put("w.txt", text);
  const turn = await world.run(
    ["edit_file", { path: "w.txt", old_text: "one", new_text: "1" }],
    ["edit_file", { path: "w.txt", old_text: "two\nlast", new_text: "2" }],
    write("w.txt", "all else\n"),
  );
  expect(await world.revert(turn)).toEqual(["w.txt: REVERTED"]);
  expect(await readFile(join(world.workspace, "w.txt"), "utf8")).toBe(text);
});

it("leaves alone what somebody changed or removed since, and takes the others back", async () => {
  for (const name of ["edited", "gone", "by-hand", "kept", "chmod"]) await world.put(name, "before\n");
  const turn = await world.run(
    ...["edited", "gone", "by-hand", "kept", "chmod", "made"].map((name) => write(name, "after\n")),
  );
  await world.put("edited", "mine\n");
  await rm(join(world.workspace, "gone"));
  await world.put("by-hand", "before\n");
  await chmod(join(world.workspace, "chmod"), 0o755);
  expect(await world.revert(turn)).toEqual([
    "made: REVERTED",
    "chmod: REVERTED",
    "kept: REVERTED",
    "by-hand: AS_BEFORE",
    "gone: GONE",
    "edited: NOT_AS_LEFT",
  ]);
  expect(await world.get("edited")).toBe("mine\n");
  expect(await world.get("kept")).toBe("before\n");
  // What somebody did to its mode since is theirs.
  expect(await world.mode("chmod")).toBe(0o755);
  expect(await readdir(world.workspace)).toEqual(["by-hand", "chmod", "edited", "kept"]);
  // What was left alone is offered again.
  await world.put("edited", "after\n");
  expect(await world.revert(turn)).toEqual(["gone: GONE", "edited: REVERTED"]);
});

it("leaves alone what a command changed between two edits, and what a later turn has changed", async () => {
  await world.put("a", "1\n");
  await world.put("b", "1\n");
  const first = await world.run(
    write("a", "2\n"),
    ["command", { path: "a", content: "3\n" }],
    write("a", "4\n"),
    write("b", "2\n"),
  );
  const second = await world.run(write("b", "3\n"));
  expect(await world.revert(first)).toEqual(["b: NOT_AS_LEFT", "a: CHANGED_BETWEEN"]);
  expect(await world.revert(second)).toEqual(["b: REVERTED"]);
  expect(await world.revert(first)).toEqual(["b: REVERTED", "a: CHANGED_BETWEEN"]);
  expect([await world.get("a"), await world.get("b")]).toEqual(["4\n", "1\n"]);
});

it("a file that was made, removed and made again is removed", async () => {
  const turn = await world.run(
    write("x/a", "1\n"),
    ["apply_patch", { patch: "--- a/x/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n" }],
    write("x/a", "2\n"),
  );
  expect(await world.revert(turn)).toEqual(["x/a: REVERTED"]);
  expect(await readdir(world.workspace)).toEqual([]);
});

it("a folder that holds something else stays", async () => {
  const turn = await world.run(write("x/y/a", "1\n"));
  await world.put("x/mine", "mine");
  expect(await world.revert(turn)).toEqual(["x/y/a: REVERTED"]);
  expect((await readdir(world.workspace, { recursive: true })).toSorted()).toEqual(["x", "x/mine"]);
});

it("goes out of the workspace through no link, and replaces nothing that is no file", async () => {
  const outside = await mkdtemp(join(tmpdir(), "parley-outside-"));
  await writeFile(join(outside, "a"), "after\n");
  const names = ["f/a", "g/a", "h", "i/a"];
  for (const name of names) await world.put(name, "before\n");
  const turn = await world.run(...names.map((name) => write(name, "after\n")));
  // A folder is a link that leads out now, or to another place inside; a file is a folder; a folder is a file.
  await rename(join(world.workspace, "f"), join(world.workspace, "f2"));
  await symlink(outside, join(world.workspace, "f"));
  await rename(join(world.workspace, "g"), join(world.workspace, "g2"));
  await symlink("g2", join(world.workspace, "g"));
  await rm(join(world.workspace, "h"));
  await mkdir(join(world.workspace, "h"));
  await rm(join(world.workspace, "i"), { recursive: true });
  await world.put("i", "a file\n");
  const { files } = await world.engine.sessions.revertFiles({ sessionId: world.sessionId, turnId: turn.id });
  expect(files).toMatchObject([
    { path: "i/a", outcome: RevertOutcome.NOT_AS_LEFT },
    { path: "h", outcome: RevertOutcome.NOT_AS_LEFT },
    { path: "g/a", outcome: RevertOutcome.NOT_AS_LEFT },
    {
      path: "f/a",
      outcome: RevertOutcome.REFUSED,
      message: expect.stringContaining("leads out of the workspace") as string,
    },
  ]);
  expect(await readFile(join(outside, "a"), "utf8")).toBe("after\n");
  expect([await world.get("f2/a"), await world.get("g2/a")]).toEqual(["after\n", "after\n"]);
  await rm(outside, { recursive: true });
});

it("names in any form of Unicode are those of their files", async () => {
  const names = ["é.txt", "e\u0301.txt", "日本 語.txt", "a\nb.txt", "😀"];
  for (const name of names) await world.put(name, `${name}\n`);
  const turn = await world.run(...names.map((name) => write(name, "x\n")));
  expect(await world.revert(turn)).toEqual(names.toReversed().map((name) => `${name}: REVERTED`));
  for (const name of names) expect(await readFile(join(world.workspace, name), "utf8")).toBe(`${name}\n`);
});

it("what is no text, and large, comes back byte for byte", async () => {
  const bytes = Buffer.alloc(3 * 1024 * 1024, Buffer.from([0, 255, 13, 10, 7]));
  await world.put("a.bin", bytes);
  await world.put("empty", "");
  const turn = await world.run(write("a.bin", "text\n"), write("empty", "no more\n"));
  expect(await world.revert(turn)).toEqual(["empty: REVERTED", "a.bin: REVERTED"]);
  expect((await readFile(join(world.workspace, "a.bin"))).equals(bytes)).toBe(true);
  expect(await world.get("empty")).toBe("");
});

it("of eight at once one takes the files back, and the others find nothing left to do", async () => {
  for (const name of ["a", "b", "c"]) await world.put(name, "before\n");
  const turn = await world.run(...["a", "b", "c"].map((name) => write(name, "after\n")));
  const answers = await Promise.all(Array.from({ length: 8 }, () => world.revert(turn)));
  expect(answers.filter((files) => files.length > 0)).toEqual([["c: REVERTED", "b: REVERTED", "a: REVERTED"]]);
  const events = kindsOf(await replay(world.engine, world.sessionId));
  expect(events.filter((kind) => kind === "filesReverted")).toHaveLength(1);
  const { entries } = await world.engine.engine.listAuditEntries({ action: "FILES_REVERTED" });
  expect(entries.map(({ actor, sessionId, target, detail }) => [actor, sessionId, target, detail])).toEqual([
    ["admin", world.sessionId, turn.id, '{"paths":["c","b","a"]}'],
  ]);
});

it("the same key gets the first answer, also at once and after a restart", async () => {
  await world.put("a", "before\n");
  const turn = await world.run(write("a", "after\n"));
  const request = { sessionId: world.sessionId, turnId: turn.id, idempotencyKey: "k" };
  const both = await Promise.all([1, 2].map(() => world.engine.sessions.revertFiles(request)));
  expect(both[0]).toMatchObject({ files: [{ path: "a", outcome: RevertOutcome.REVERTED }], hasMore: false });
  expect(both[1]).toEqual(both[0]);
  world.engine = await world.engine.restart();
  expect(await world.engine.sessions.revertFiles(request)).toEqual(both[0]);
  const other = await world.run(write("a", "again\n"));
  const reused = world.engine.sessions.revertFiles({ ...request, turnId: other.id });
  expect(await refusalOf(reused)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
  const previewed = world.engine.sessions.revertFiles({ ...request, preview: true });
  expect(await refusalOf(previewed)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
  expect(await world.get("a")).toBe("again\n");
});

it("is refused while a turn runs, and for a turn of another session", async () => {
  const turn = await world.run(write("a", "after\n"));
  const running = await world.start(["hang", {}]);
  for (const preview of [true, false]) {
    const refused = world.engine.sessions.revertFiles({ sessionId: world.sessionId, turnId: turn.id, preview });
    expect(await refusalOf(refused)).toMatchObject({ reason: "SESSION_BUSY", metadata: { turn_id: running.id } });
  }
  expect(await world.get("a")).toBe("after\n");
  await world.engine.messages.cancelTurn({ sessionId: world.sessionId });
  const { session } = await world.engine.sessions.createSession({});
  const other = world.engine.sessions.revertFiles({ sessionId: session!.id, turnId: turn.id });
  expect(await refusalOf(other)).toMatchObject({ code: "NOT_FOUND", reason: "TURN_NOT_FOUND" });
  expect(await world.revert(turn)).toEqual(["a: REVERTED"]);
});

it.each([
  ["before the file was written", {}, "AS_BEFORE"],
  ["after it, before that was told", { after: true }, "REVERTED"],
])("a change that was cut off %s can be taken back", async (_when, args, outcome) => {
  await world.put("a.txt", "before\n");
  const begun = new Promise<void>((resolve) => process.once("cut-off" as never, () => resolve()));
  const turn = await world.start(["cut_off", args]);
  await begun;
  // As a kill leaves it: what the tool does when it is told to end never reaches the store.
  const { dataDir } = world.engine;
  const rows = rowsOf(dataDir);
  world.engine = await world.engine.restart();
  restoreRows(dataDir, rows);
  expect(await world.revert(turn)).toEqual([`a.txt: ${outcome}`]);
  expect(await world.get("a.txt")).toBe("before\n");
  expect(await world.revert(turn)).toEqual([]);
});

interface ChangeRow {
  readonly [column: string]: string | number | null;
}

function rowsOf(dataDir: string): ChangeRow[] {
  const db = new Sqlite(join(dataDir, "parley.db"), { readonly: true });
  const rows = db.prepare("SELECT * FROM file_changes").all() as ChangeRow[];
  db.close();
  return rows;
}

function restoreRows(dataDir: string, rows: readonly ChangeRow[]): void {
  const db = new Sqlite(join(dataDir, "parley.db"));
  for (const row of rows) {
    const columns = Object.keys(row);
    const sql = `INSERT OR IGNORE INTO file_changes (${columns.join()}) VALUES (${columns.map(() => "?").join()})`;
    db.prepare(sql).run(Object.values(row));
  }
  db.close();
}

function countKept({ dataDir }: { readonly dataDir: string }): number[] {
  const db = new Sqlite(join(dataDir, "parley.db"), { readonly: true });
  const count = (sql: string): number => db.prepare(sql).pluck().get() as number;
  const counts = [
    count("SELECT count(*) FROM file_changes"),
    count("SELECT count(*) FROM blob_references WHERE owner LIKE 'chg_%'"),
  ];
  db.close();
  return counts;
}

it("what was kept goes with the history, with the part of it that is cut, and with the session", async () => {
  await world.put("a", "before\n");
  await world.run(write("a", "1\n"));
  await world.run(write("a", "2\n"));
  const third = await world.run(write("a", "3\n"));
  const { sessionId, engine } = world;
  expect(countKept(engine)).toEqual([3, 3]);
  const said = (await listMessages(engine, sessionId)).find(({ turnId }) => turnId === third.id);
  await engine.sessions.rewindSession({ sessionId, messageId: said!.id });
  expect(countKept(engine)).toEqual([2, 2]);
  expect(await refusalOf(world.revert(third))).toMatchObject({ reason: "TURN_NOT_FOUND" });

  const { session: fork } = await engine.sessions.forkSession({ sessionId });
  expect(countKept(engine)).toEqual([2, 2]);
  expect(await exported(engine, [sessionId])).not.toContain("before");
  await engine.sessions.deleteSession({ sessionId: fork!.id });
  await engine.sessions.clearHistory({ sessionId });
  expect(countKept(engine)).toEqual([0, 0]);
  expect(await world.get("a")).toBe("3\n");

  await world.run(write("a", "4\n"));
  await engine.sessions.deleteSession({ sessionId });
  while (countKept(engine)[0] !== 0) await new Promise((resolve) => setImmediate(resolve));
  expect(countKept(engine)).toEqual([0, 0]);
});

it("a cut of what came after a revert tells it again", async () => {
  await world.put("a", "before\n");
  const first = await world.run(write("a", "1\n"));
  const second = await world.run(["hang_not", {}]);
  expect(await world.revert(first)).toEqual(["a: REVERTED"]);
  const said = (await listMessages(world.engine, world.sessionId)).find(({ turnId }) => turnId === second.id);
  for (let i = 0; i < 2; i++) {
    const events = await replay(world.engine, world.sessionId);
    const told = events.filter(({ payload }) => payload.case === "filesReverted");
    expect(told.map(({ payload }) => payload.value)).toMatchObject([{ turnId: first.id, paths: ["a"] }]);
    if (i === 0) await world.engine.sessions.rewindSession({ sessionId: world.sessionId, messageId: said!.id });
  }
});

it("hard links: a file that is taken back is one of its own", async () => {
  await world.put("a", "before\n");
  const turn = await world.run(write("a", "after\n"));
  await link(join(world.workspace, "a"), join(world.workspace, "b"));
  expect(await world.revert(turn)).toEqual(["a: REVERTED"]);
  expect([await world.get("a"), await world.get("b")]).toEqual(["before\n", "after\n"]);
});

it("what agents did that the turn started is taken back with it, and their sessions are told", async () => {
  await writeAgent(world.engine, "helper");
  await world.put("a.txt", "0\n");
  world.upstream.script((answer, { messages }) => {
    const isHelper = messages.some(
      ({ role, content }) => role === "system" && content?.includes("You are helper.") === true,
    );
    const step = messages.filter(({ role }) => role === "assistant").length;
    const calls: readonly AskedCall[] = isHelper
      ? [write("a.txt", "2\n"), write("b.txt", "b\n")]
      : [write("a.txt", "1\n"), ["run_agent", { agent: "helper", task: "go" }], write("c.txt", "c\n")];
    const call = calls[step];
    if (call === undefined) return says(answer, "done");
    answer.call("a", call[0], JSON.stringify(call[1]));
    answer.end("tool_calls");
  });
  const { sessionId, engine } = world;
  const { turn } = await engine.messages.startTurn({ sessionId, parts: text("go") });
  await endOf(engine, turn);
  const child = (await listSessions(engine)).find(({ parentSessionId }) => parentSessionId === sessionId);
  expect([await world.get("a.txt"), await world.get("b.txt")]).toEqual(["2\n", "b\n"]);
  expect(await world.revert(turn!)).toEqual(["c.txt: REVERTED", "b.txt: REVERTED", "a.txt: REVERTED"]);
  expect(await readdir(world.workspace)).toEqual(["a.txt"]);
  expect(await world.get("a.txt")).toBe("0\n");
  for (const [id, paths] of [
    [sessionId, ["c.txt", "b.txt", "a.txt"]],
    [child!.id, ["b.txt", "a.txt"]],
  ] as const) {
    const told = (await replay(engine, id)).filter(({ payload }) => payload.case === "filesReverted");
    expect(told.map(({ payload }) => payload.value)).toMatchObject([{ paths }]);
  }
  expect(await world.revert(turn!)).toEqual([]);
});
