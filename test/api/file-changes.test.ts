import { existsSync, type Stats } from "node:fs";
import { link, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, it } from "vitest";
import { FileChangeKind, ToolCallState } from "../../src/client/client.ts";
import type { Tool, ToolContext } from "../../src/tool/tool.ts";
import { UNKEPT } from "../../src/workspace/file-change.ts";
import { useFiles } from "./file-world.ts";
import { kindsOf, listMessages, replay } from "./observe.ts";

const PLAIN: Pick<Tool, "description" | "parameters" | "assess"> = {
  description: "A test's.",
  parameters: { type: "object" },
  assess: () => ({ risk: { level: "none", reason: "it is a test's" }, subjects: [] }),
};

/** Looks, while it changes a file, at what is kept of it on the disk. */
const watched: Tool = {
  ...PLAIN,
  name: "watched",
  run: async (args, { workspace, changes }) => {
    const path = join(workspace, "a.txt");
    const bytes = await readFile(path);
    const after = Buffer.from("after");
    let found = "";
    const make = async (): Promise<void> => {
      found = keptOnDisk(workspace);
      await writeFile(path, after);
    };
    const around = args["keeps"] === false ? UNKEPT : changes;
    await around({ path: "a.txt", before: { path, bytes, stats: STATS }, after, newFolders: 0 }, make);
    return { text: found };
  },
};
const STATS = { mode: 0o640 } as Stats;

/** As another process sees it. */
function keptOnDisk(workspace: string): string {
  const dataDir = join(workspace, "..", "..");
  const db = new Sqlite(join(dataDir, "parley.db"), { readonly: true });
  try {
    const rows = db.prepare("SELECT before_sha256, before_mode, state FROM file_changes").all() as {
      before_sha256: string;
      before_mode: number;
      state: string;
    }[];
    return rows
      .map((row) => `${row.state} ${row.before_mode} ${existsSync(join(dataDir, "blobs", row.before_sha256))}`)
      .join();
  } finally {
    db.close();
  }
}

/** What a call that has ended was given, to be used when its turn is over. */
let left: ToolContext;
const leaves: Tool = {
  ...PLAIN,
  name: "leaves",
  run: async (_args, context) => {
    left = context;
    return { text: "left" };
  },
};

const shows: Tool = {
  ...PLAIN,
  name: "shows",
  run: async (args) => ({
    text: `first ${"x".repeat(Number(args["size"]))} last`,
    images: [{ mediaType: "image/gif", bytes: Buffer.from("GIF89a, as far as one can see") }],
  }),
};

const world = useFiles([watched, leaves, shows]);

it("each change is told with its diff between the start and the end of its call", async () => {
  await world.put("src/a.ts", "one\ntwo\n");
  await world.run(
    ["edit_file", { path: "src/a.ts", old_text: "two", new_text: "three\nfour" }],
    ["write_file", { path: "new/ä.txt", content: "hello" }],
    ["apply_patch", { patch: "--- a/src/a.ts\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-three\n-four\n" }],
  );
  const events = await replay(world.engine, world.sessionId);
  const calls = kindsOf(events).filter((kind) => /^(toolCallStarted|fileChanged|toolCallEnded|turnEnded)$/.test(kind));
  const one = ["toolCallStarted", "fileChanged", "toolCallEnded"];
  expect(calls).toEqual([...one, ...one, ...one, "turnEnded"]);
  const [edited, made, removed] = await world.told();
  expect(edited).toMatchObject({
    path: "src/a.ts",
    kind: FileChangeKind.MODIFIED,
    diff: "--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,2 +1,3 @@\n one\n-two\n+three\n+four\n",
    addedLines: 2,
    removedLines: 1,
    diffBlob: "",
  });
  expect(edited?.callId).toMatch(/^call_/);
  expect(made).toMatchObject({
    path: "new/ä.txt",
    kind: FileChangeKind.CREATED,
    diff: "--- /dev/null\n+++ b/new/ä.txt\n@@ -0,0 +1,1 @@\n+hello\n\\ No newline at end of file\n",
    addedLines: 1,
    removedLines: 0,
  });
  expect(removed).toMatchObject({ path: "src/a.ts", kind: FileChangeKind.DELETED, addedLines: 0, removedLines: 3 });
});

it("a file that is moved is told as one that went and one that came, and keeps its mode", async () => {
  await world.put("run.sh", "#!/bin/sh\n", 0o755);
  await world.run([
    "apply_patch",
    { patch: "diff --git a/run.sh b/bin/run.sh\nsimilarity index 100%\nrename from run.sh\nrename to bin/run.sh\n" },
  ]);
  expect((await world.told()).map(({ path, kind }) => [path, kind])).toEqual([
    ["run.sh", FileChangeKind.DELETED],
    ["bin/run.sh", FileChangeKind.CREATED],
  ]);
  expect(await world.mode("bin/run.sh")).toBe(0o755);
});

it("what is no text has no diff, and what is written again as it is is no change", async () => {
  await world.put("a.bin", Buffer.from([0, 1, 2]));
  await world.put("same.txt", "same\n");
  await world.run(
    ["write_file", { path: "a.bin", content: "text now\n" }],
    ["write_file", { path: "same.txt", content: "same\n" }],
  );
  expect(await world.told()).toMatchObject([{ path: "a.bin", kind: FileChangeKind.MODIFIED, diff: "", addedLines: 0 }]);
});

it("a diff that is larger than an event may be is a blob", async () => {
  await world.run(["write_file", { path: "a.txt", content: "line\n".repeat(60_000) }]);
  const [told] = await world.told();
  expect(told).toMatchObject({ diff: "", addedLines: 60_000 });
  const headers = { authorization: `Bearer ${world.engine.token}` };
  const diff = await (await fetch(`${world.engine.url}/blobs/${told?.diffBlob ?? ""}`, { headers })).text();
  expect(diff.startsWith("--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1,60000 @@\n+line\n")).toBe(true);
});

it("what a file was is on the disk before it is changed; control: without the keeper nothing is", async () => {
  await world.put("a.txt", "before");
  const run = async (args: object): Promise<string> => {
    await world.run(["watched", args]);
    const part = (await listMessages(world.engine, world.sessionId)).at(-2)?.parts[0]?.content;
    return part?.case === "toolResult" ? part.value.text : "";
  };
  expect(await run({ keeps: false })).toBe("");
  expect(await run({})).toBe("begun 416 true");
});

it("a call whose turn is over changes nothing any more", async () => {
  await world.run(["leaves", {}]);
  let isMade = false;
  const change = { path: "a.txt", before: undefined, after: Buffer.from("late"), newFolders: 0 };
  const late = left.changes(change, async () => {
    isMade = true;
  });
  await expect(late).rejects.toMatchObject({ reason: "TURN_OVER" });
  expect(isMade).toBe(false);
  expect(await world.told()).toEqual([]);
});

function rewriteA(path: string, to: string): string {
  return `--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-a\n+${to}\n`;
}

it("a patch of which one part fails tells of what it did and of what it took back", async () => {
  await world.put("a.txt", "a\n");
  const turn = await world.run(["apply_patch", { patch: rewriteA("a.txt", "A") + rewriteA("./a.txt", "B") }]);
  expect(await world.get("a.txt")).toBe("a\n");
  expect(await world.told()).toMatchObject([
    { diff: "--- a/a.txt\n+++ b/a.txt\n@@ -1,1 +1,1 @@\n-a\n+A\n" },
    { diff: "--- a/a.txt\n+++ b/a.txt\n@@ -1,1 +1,1 @@\n-A\n+a\n" },
  ]);
  expect(await world.revert(turn)).toEqual(["a.txt: AS_BEFORE"]);
});

it("names that look like something else are quoted in a diff, and others are not", async () => {
  await world.run(
    ["write_file", { path: "größe 日本 😀.txt", content: "" }],
    ["write_file", { path: 'a\n+++ "b".txt', content: "x\n" }],
    ["write_file", { path: "tab\u202egpj.txt", content: "x\n" }],
  );
  expect((await world.told()).map(({ diff }) => diff.split("\n")[1])).toEqual([
    "+++ b/größe 日本 😀.txt",
    String.raw`+++ "b/a\012+++ \"b\".txt"`,
    String.raw`+++ "b/tab\342\200\256gpj.txt"`,
  ]);
});

it("other links of a file that is edited keep what they had", async () => {
  await world.put("a.txt", "one\n");
  await link(join(world.workspace, "a.txt"), join(world.workspace, "b.txt"));
  const turn = await world.run(["write_file", { path: "a.txt", content: "two\n" }]);
  expect(await world.get("b.txt")).toBe("one\n");
  expect(await world.revert(turn)).toEqual(["a.txt: REVERTED"]);
  expect([await world.get("a.txt"), await world.get("b.txt")]).toEqual(["one\n", "one\n"]);
});

it("a file that is too large to be kept is not replaced", async () => {
  await world.put("huge", Buffer.alloc(16 * 1024 * 1024 + 1, "x"));
  await world.run(["write_file", { path: "huge", content: "small" }]);
  const part = (await listMessages(world.engine, world.sessionId)).at(-2)?.parts[0]?.content;
  expect(part?.value).toMatchObject({ state: ToolCallState.FAILED });
  expect((await world.get("huge"))?.length).toBe(16 * 1024 * 1024 + 1);
  expect(await world.told()).toEqual([]);
});

it("a result that is longer than a message allows is a blob, with its head and tail in the conversation", async () => {
  await world.run(["shows", { size: 100_000 }]);
  const part = (await listMessages(world.engine, world.sessionId)).at(-2)?.parts[0]?.content;
  if (part?.case !== "toolResult") throw new Error("no result");
  const { text, blob, images } = part.value;
  expect(text.length).toBeLessThan(66_000);
  expect(text).toMatch(/^first x+\n\[cut: \d+ of 100011 characters are not shown\]\nx+ last$/);
  const headers = { authorization: `Bearer ${world.engine.token}` };
  const whole = await fetch(`${world.engine.url}/blobs/${blob}`, { headers });
  expect(await whole.text()).toBe(`first ${"x".repeat(100_000)} last`);
  expect(images).toMatchObject([{ mediaType: "image/gif", sizeBytes: 29n }]);
  const picture = await fetch(`${world.engine.url}/blobs/${images[0]?.sha256 ?? ""}`, { headers });
  expect(await picture.text()).toBe("GIF89a, as far as one can see");
});

it("a result that fits has no blob", async () => {
  await world.run(["shows", { size: 1 }]);
  const part = (await listMessages(world.engine, world.sessionId)).at(-2)?.parts[0]?.content;
  expect(part?.value).toMatchObject({ text: "first x last", blob: "" });
});
