import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeWorkspace, type TestWorkspace } from "../../../test/helpers/workspace.ts";
import type { JsonObject } from "../../message/message.ts";
import { createApplyPatchTool } from "./apply-patch.ts";
import { createEditFileTool } from "./edit-file.ts";
import type { Tool, ToolResult } from "../tool.ts";
import { createGlobTool } from "./glob.ts";
import { createListFilesTool } from "./list-files.ts";
import { createReadFileTool } from "./read-file.ts";
import { createWriteFileTool } from "./write-file.ts";

let it: TestWorkspace;
let tools: Readonly<Record<string, Tool>>;
beforeEach(async () => {
  it = await makeWorkspace();
  const all = [
    createReadFileTool,
    createWriteFileTool,
    createEditFileTool,
    createApplyPatchTool,
    createListFilesTool,
    createGlobTool,
  ];
  tools = Object.fromEntries(all.map((create) => create(it.files)).map((tool) => [tool.name, tool]));
});
afterEach(() => it.dispose());

function tool(name: string): Tool {
  const found = tools[name];
  if (found === undefined) throw new Error(`no tool ${name}`);
  return found;
}

const run = (name: string, args: JsonObject): Promise<ToolResult> =>
  Promise.resolve().then(() => tool(name).run(args, it.context));
const textOf = async (name: string, args: JsonObject): Promise<string> => (await run(name, args)).text;
const preview = (name: string, args: JsonObject): Promise<string> =>
  Promise.resolve(tool(name).preview?.(args, it.context) ?? "none");

function manyLines(word: string): string {
  return Array.from({ length: 20_000 }, (_, index) => `${word} ${index * 7}\n`).join("");
}

function patchTo(path: string): JsonObject {
  return { patch: `--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+x\n` };
}

describe("every tool", () => {
  const calls: readonly (readonly [string, JsonObject, "read" | "write"])[] = [
    ["read_file", { path: "link/a.txt" }, "read"],
    ["list_files", { path: "link" }, "read"],
    ["glob", { pattern: "*", path: "link" }, "read"],
    ["write_file", { path: "link/a.txt", content: "b" }, "write"],
    ["edit_file", { path: "link/a.txt", old_text: "a", new_text: "b" }, "write"],
    ["apply_patch", { patch: "--- a/link/a.txt\n+++ b/link/a.txt\n@@ -1 +1 @@\n-a\n+b\n" }, "write"],
  ];

  test.each(calls)("%s tells what it touches by its real path and by the given one", async (name, args, access) => {
    await it.put("real/a.txt", "a\n");
    await symlink("real", join(it.workspace, "link"));
    const below = access === "write" || name === "read_file" ? "/a.txt" : "";
    expect(await tool(name).assess(args, it.context)).toMatchObject({
      risk: { level: access === "write" ? "edit" : "read" },
      subjects: [{ kind: "path", access, path: `${it.workspace}/real${below}`, given: `${it.workspace}/link${below}` }],
    });
    expect(await it.get("real/a.txt")).toBe("a\n");
  });

  test.each(calls)("%s refuses what leads out, before anybody is asked, and when it runs", async (name, args) => {
    await symlink(it.outside, join(it.workspace, "link"));
    await expect(tool(name).assess(args, it.context)).rejects.toThrow("it leads out of the workspace");
    await expect(run(name, args)).rejects.toThrow("it leads out of the workspace");
  });

  test.each(calls)("%s refuses arguments that are wrong, in words", async (name, args) => {
    const first = Object.keys(args)[0] ?? "";
    await expect(run(name, { ...args, [first]: 5 })).rejects.toThrow(`${first} must be a string`);
    await expect(run(name, { ...args, invented: 1 })).rejects.toThrow('there is no argument "invented"');
  });
});

describe("read_file", () => {
  test("gives text exactly as it is", async () => {
    await it.put("a.txt", "\ufeffé\r\n  tab\t\nlast");
    expect(await textOf("read_file", { path: "a.txt" })).toBe("\ufeffé\r\n  tab\t\nlast");
    await it.put("empty", "");
    expect(await textOf("read_file", { path: "empty" })).toBe("[the file is empty]");
  });

  test("gives a range of lines, and says where to read on", async () => {
    await it.put("a.txt", Array.from({ length: 5000 }, (_, index) => `${index + 1}\n`).join(""));
    expect(await textOf("read_file", { path: "a.txt", start_line: 2, line_count: 2 })).toBe(
      "2\n3\n[lines 2 to 3 of 5000; read on with start_line 4]",
    );
    expect(await textOf("read_file", { path: "a.txt" })).toMatch(
      /\n\[lines 1 to 2000 of 5000; read on with start_line 2001\]$/,
    );
    expect(await textOf("read_file", { path: "a.txt", start_line: 5000 })).toBe("5000\n[lines 5000 to 5000 of 5000]");
    await expect(run("read_file", { path: "a.txt", start_line: 5001 })).rejects.toThrow("the file has 5000 lines");
    await expect(run("read_file", { path: "a.txt", start_line: 0 })).rejects.toThrow("must be a whole number from 1");
  });

  test("cuts what is too long, between characters", async () => {
    await it.put("a.txt", "😀".repeat(100_000));
    const text = await textOf("read_file", { path: "a.txt" });
    expect(text.length).toBeLessThan(50_000);
    expect(text).toMatch(/\[line 1 is longer; the rest of it is not shown\]\n\[lines 1 to 1 of 1\]$/);
    await it.put("huge", Buffer.alloc(17 * 1024 * 1024, "x"));
    await expect(run("read_file", { path: "huge" })).rejects.toThrow("it is larger than 16 MiB");
  });

  test("shows pictures and refuses other binary files", async () => {
    const png = Buffer.from("89504e470d0a1a0a0000000d", "hex");
    await it.put("a.dat", png);
    expect(await run("read_file", { path: "a.dat" })).toMatchObject({
      images: [{ mediaType: "image/png", bytes: png }],
    });
    await it.put("b.png", Buffer.from([0, 1, 2]));
    await expect(run("read_file", { path: "b.png" })).rejects.toThrow("it is a binary file of 3 bytes");
  });
});

describe("write_file", () => {
  test("makes a file with its folders, then replaces it; the preview is what happens", async () => {
    expect(await preview("write_file", { path: "n/a.txt", content: "one\n" })).toBe(
      "--- /dev/null\n+++ b/n/a.txt\n@@ -0,0 +1,1 @@\n+one\n",
    );
    expect(await textOf("write_file", { path: "n/a.txt", content: "one\n" })).toBe("made n/a.txt (4 bytes)");
    expect(await preview("write_file", { path: "n/a.txt", content: "two" })).toBe(
      "--- a/n/a.txt\n+++ b/n/a.txt\n@@ -1,1 +1,1 @@\n-one\n+two\n\\ No newline at end of file\n",
    );
    expect(await textOf("write_file", { path: "n/a.txt", content: "two" })).toBe("replaced n/a.txt (3 bytes)");
    expect(await it.get("n/a.txt")).toBe("two");
  });

  test("previews texts that have nothing in common in bounded time", async () => {
    await it.put("a.txt", manyLines("one"));
    const diff = await preview("write_file", { path: "a.txt", content: manyLines("two") });
    expect(diff.startsWith("--- a/a.txt\n+++ b/a.txt\n@@ -1,20000 +1,20000 @@\n-one 0\n")).toBe(true);
    await it.put("b", Buffer.from([0]));
    expect(await preview("write_file", { path: "b", content: "" })).toBe("Binary files a/b and b/b differ\n");
  });
});

describe("edit_file", () => {
  beforeEach(() => it.put("a.ts", "function a() {\n  return 1;\n}\nfunction b() {\n  return 1;\n}\n"));

  test("replaces what is there once", async () => {
    const args = { path: "a.ts", old_text: "a() {\n  return 1;", new_text: "a() {\n  return $&2;" };
    expect(await preview("edit_file", args)).toContain("-  return 1;\n+  return $&2;\n");
    expect(await textOf("edit_file", args)).toBe("edited a.ts (1 place)");
    expect(await it.get("a.ts")).toContain("return $&2;");
  });

  test("refuses what is there twice, and names the lines; replaces all where told", async () => {
    const args = { path: "a.ts", old_text: "return 1", new_text: "return 2" };
    await expect(run("edit_file", args)).rejects.toThrow("2 times (lines 2, 5)");
    await expect(tool("edit_file").preview?.(args, it.context)).rejects.toThrow("2 times");
    expect(await textOf("edit_file", { ...args, replace_all: true })).toBe("edited a.ts (2 places)");
  });

  test("does several edits, or none", async () => {
    const good = { old_text: "function a", new_text: "function c" };
    const bad = { old_text: "function z() {", new_text: "" };
    await expect(run("edit_file", { path: "a.ts", edits: [good, bad] })).rejects.toThrow(
      "edits[1].old_text is not in the file, and nothing was changed",
    );
    expect(await it.get("a.ts")).toContain("function a");
    await run("edit_file", { path: "a.ts", edits: [good, { old_text: "function c", new_text: "function d" }] });
    expect(await it.get("a.ts")).toContain("function d");
  });

  test("tells the nearest miss", async () => {
    const args = { path: "a.ts", old_text: "function b()  {\n    return 1;\n", new_text: "" };
    await expect(run("edit_file", args)).rejects.toThrow(
      "Nearest are lines 4 to 5 (only blanks differ):\nfunction b() {\n  return 1;",
    );
    await expect(run("edit_file", { ...args, old_text: "quite different words" })).rejects.toThrow(
      "Nothing in it is like it",
    );
  });

  test("keeps the ends of lines that a file has", async () => {
    await it.put("w.txt", "a\r\nb\r\nc\r\n");
    await run("edit_file", { path: "w.txt", old_text: "a\nb\n", new_text: "x\ny\n" });
    expect(await it.get("w.txt")).toBe("x\r\ny\r\nc\r\n");
  });

  test("refuses what is no edit", async () => {
    await expect(run("edit_file", { path: "a.ts", old_text: "", new_text: "x" })).rejects.toThrow("old_text is empty");
    await expect(run("edit_file", { path: "a.ts", old_text: "x", new_text: "x" })).rejects.toThrow(
      "nothing would change",
    );
    await expect(run("edit_file", { path: "a.ts", edits: [] })).rejects.toThrow("at least one edit");
    await expect(run("edit_file", { path: "none.ts", old_text: "a", new_text: "b" })).rejects.toThrow(
      "there is no such file",
    );
    await it.put("bin", Buffer.from([0xff, 0]));
    await expect(run("edit_file", { path: "bin", old_text: "a", new_text: "b" })).rejects.toThrow(
      "it is not UTF-8 text",
    );
  });

  test("edits of one file at once are all in it afterwards", async () => {
    await it.put("n.txt", Array.from({ length: 20 }, (_, index) => `<${index}>\n`).join(""));
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        run("edit_file", { path: "n.txt", old_text: `<${index}>`, new_text: `done ${index};` }),
      ),
    );
    expect(await it.get("n.txt")).toBe(Array.from({ length: 20 }, (_, index) => `done ${index};\n`).join(""));
  });
});

describe("apply_patch", () => {
  const patch = [
    "diff --git a/a.txt b/a.txt",
    "--- a/a.txt",
    "+++ b/a.txt",
    "@@ -1,3 +1,3 @@",
    " one",
    "-two",
    "+2",
    " three",
    "--- /dev/null",
    "+++ b/new/b.txt",
    "@@ -0,0 +1 @@",
    "+made",
    "--- a/gone.txt",
    "+++ /dev/null",
    "@@ -1 +0,0 @@",
    "-gone",
    "",
  ].join("\n");
  beforeEach(async () => {
    await it.put("a.txt", "one\ntwo\nthree\n");
    await it.put("gone.txt", "gone\n");
  });

  test("changes, makes and removes files; the preview is the patch", async () => {
    expect(await preview("apply_patch", { patch })).toContain("-two\n+2\n");
    expect(await textOf("apply_patch", { patch })).toBe("changed a.txt\nmade new/b.txt\nremoved gone.txt");
    expect(await it.get("a.txt")).toBe("one\n2\nthree\n");
    expect(await it.get("new/b.txt")).toBe("made\n");
    await expect(it.get("gone.txt")).rejects.toThrow("ENOENT");
  });

  test("changes nothing where a part does not fit", async () => {
    await it.put("gone.txt", "other\n");
    await expect(run("apply_patch", { patch })).rejects.toThrow("gone.txt: the patch does not fit this file");
    await expect(tool("apply_patch").preview?.({ patch }, it.context)).rejects.toThrow("does not fit");
    expect(await it.get("a.txt")).toBe("one\ntwo\nthree\n");
    await expect(it.get("new/b.txt")).rejects.toThrow("ENOENT");
  });

  test("puts back what it changed where a later file cannot be written", async () => {
    await it.put("blocked", "a file where a folder is to be");
    const late = `${patch}--- /dev/null\n+++ b/blocked/x\n@@ -0,0 +1 @@\n+x\n`;
    await expect(run("apply_patch", { patch: late })).rejects.toThrow("blocked/x");
    expect(await it.get("a.txt")).toBe("one\ntwo\nthree\n");
    expect(await it.get("gone.txt")).toBe("gone\n");
  });

  test("refuses what is no patch, and a patch of protected names or out of the workspace", async () => {
    await expect(run("apply_patch", { patch: "hello" })).rejects.toThrow("the patch changes nothing");
    await expect(run("apply_patch", { patch: "--- a/x\n+++ b/x\n@@ nonsense @@\n" })).rejects.toThrow("patch");
    await expect(run("apply_patch", patchTo(".git/hooks/pre-commit"))).rejects.toThrow("is protected");
    await expect(run("apply_patch", patchTo("../x"))).rejects.toThrow("it leads out of the workspace");
    await expect(run("apply_patch", patchTo("a.txt"))).rejects.toThrow("is there already");
  });
});

describe("list_files and glob", () => {
  beforeEach(async () => {
    for (const path of [
      "src/a.ts",
      "src/deep/b.ts",
      "src/c.md",
      "build/out.js",
      ".git/config",
      ".env",
      "src/keep.log",
      "src/x.log",
    ]) {
      await it.put(path, "");
    }
    await it.put(".gitignore", "build/\n*.log\n");
    await it.put("src/.gitignore", "!keep.log\n");
    await symlink("src", join(it.workspace, "link"));
  });

  test("list_files shows a folder without what is ignored", async () => {
    expect(await textOf("list_files", {})).toBe([".env", ".gitignore", "link@", "src/"].join("\n"));
    expect(await textOf("list_files", { path: "src", depth: 2 })).toBe(
      [".gitignore", "a.ts", "c.md", "deep/", "deep/b.ts", "keep.log"].join("\n"),
    );
    expect(await textOf("list_files", { include_ignored: true })).toContain("build/");
    await expect(run("list_files", { path: "src/a.ts" })).rejects.toThrow("it is no folder");
    await expect(run("list_files", { path: "none" })).rejects.toThrow("there is no such folder");
  });

  test("glob finds by name in every folder, or by path", async () => {
    expect(await textOf("glob", { pattern: "*.ts" })).toBe("src/a.ts\nsrc/deep/b.ts");
    expect(await textOf("glob", { pattern: "src/*.{ts,md}" })).toBe("src/a.ts\nsrc/c.md");
    expect(await textOf("glob", { pattern: "**/b.ts", path: "src" })).toBe("src/deep/b.ts");
    expect(await textOf("glob", { pattern: "*.js" })).toBe("[no file matches]");
    expect(await textOf("glob", { pattern: "*.js", include_ignored: true })).toBe("build/out.js");
  });

  test("a pattern that would take for ever is refused", async () => {
    for (const pattern of ["", "/etc/*", "*a".repeat(20), "+(a|aa)+", "x".repeat(501)]) {
      await expect(run("glob", { pattern })).rejects.toThrow("pattern");
    }
  });

  test("more than a thousand entries are cut, and that is said", async () => {
    for (let index = 0; index < 1005; index++) await it.put(`many/${index}`, "");
    expect((await textOf("list_files", { path: "many" })).split("\n")).toHaveLength(1001);
    expect(await textOf("glob", { pattern: "many/*" })).toMatch(/\[more than 1000; use a narrower pattern\]$/);
  });
});
