import { mkdir, mkdtemp, realpath, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeWorkspace, type TestWorkspace } from "../../../test/helpers/workspace.ts";
import type { JsonObject } from "../../message/message.ts";
import { createGrepTool } from "./grep.ts";
import { createSandbox } from "../sandbox/sandbox.ts";
import { unwrapped } from "./search-ripgrep.ts";
import { findProgram } from "../process/find-program.ts";

const PATH = process.env["PATH"] ?? "";
const ripgrep = await findProgram("rg", PATH);
const sandbox = createSandbox({
  mode: "auto",
  hosts: [],
  path: PATH,
  dataDir: await realpath(await mkdtemp(join(tmpdir(), "parley-grep-"))),
  secretFiles: [],
  protectedNames: [],
});
afterAll(() => sandbox.close());

let it: TestWorkspace;
beforeEach(async () => {
  it = await makeWorkspace();
  await it.put("src/a.ts", "const one = 1;\r\nconst Two = 2;\n");
  await it.put("src/b.md", "one\nand one more\n");
  await it.put("build/c.js", "one\n");
  await it.put("binary", Buffer.from("one\0one\n"));
  await it.put(".gitignore", "build\n");
  await symlink(join(it.outside, "secret.txt"), join(it.workspace, "link"));
});
afterEach(() => it.dispose());

describe.each([
  ["a library", undefined, unwrapped],
  ["ripgrep", ripgrep, unwrapped],
  ["ripgrep in the sandbox", ripgrep, sandbox.wrapReader],
])("grep with %s", (name, program, wrap) => {
  const isMissing = name !== "a library" && program === undefined;
  const grep = async (args: JsonObject): Promise<string> =>
    (await createGrepTool(it.files, async () => program, wrap).run(args, it.context)).text;

  test.skipIf(isMissing)("finds lines in text files that are not ignored", async () => {
    expect(await grep({ pattern: "one" })).toBe(
      "src/a.ts:1: const one = 1;\nsrc/b.md:1: one\nsrc/b.md:2: and one more",
    );
    expect(await grep({ pattern: "^TWO", ignore_case: true })).toBe("[no line matches]");
    expect(await grep({ pattern: "TWO", ignore_case: true })).toBe("src/a.ts:2: const Two = 2;");
    expect(await grep({ pattern: "TWO" })).toBe("[no line matches]");
    expect(await grep({ pattern: "one", glob: "*.md", max_results: 1 })).toBe(
      "src/b.md:1: one\n[more than 1 lines; use a narrower pattern]",
    );
    expect(await grep({ pattern: "one", path: "build", include_ignored: true })).toBe("build/c.js:1: one");
  });

  test.skipIf(isMissing)(
    "finds nothing of links, and nothing of the data directory where the workspace is around it",
    async () => {
      expect(await grep({ pattern: "secret" })).toBe("[no line matches]");
      const around = { ...it.context, workspace: join(it.workspace, "..") };
      const { text } = await createGrepTool(it.files, async () => program, wrap).run(
        { pattern: "token|secret" },
        around,
      );
      expect(text).toBe("outside/secret.txt:1: secret");
    },
  );

  test.skipIf(isMissing)("a pattern is data: one that looks like an option is searched for", async () => {
    await it.put("o.txt", "--pre=touch x\n");
    expect(await grep({ pattern: "--pre=touch" })).toBe("o.txt:1: --pre=touch x");
  });

  test.skipIf(isMissing)(
    "a pattern that backtracking engines choke on takes no time, and a wrong one is refused in words",
    async () => {
      await it.put("a.txt", `${"a".repeat(5000)}!\n`);
      expect(await grep({ pattern: "^(a+)+$" })).toBe("[no line matches]");
      await expect(grep({ pattern: "(" })).rejects.toThrow("the pattern is no regular expression");
      await expect(grep({ pattern: "" })).rejects.toThrow("the pattern is empty");
      await expect(grep({ pattern: "a\nb" })).rejects.toThrow("lines are searched one by one");
    },
  );

  test.skipIf(isMissing)("searches more files than are open at once, and cuts long lines", async () => {
    for (let index = 100; index < 300; index++) await it.put(`many/${index}`, `${"x".repeat(400)} ${index}\n`);
    const lines = (await grep({ pattern: "x 2\\d\\d$", max_results: 1000 })).split("\n");
    expect(lines).toHaveLength(100);
    expect(lines[0]).toBe(`many/200:1: ${"x".repeat(300)}...`);
  });

  test.skipIf(isMissing)("a call that is cancelled ends with the reason", async () => {
    const reason = new Error("cancelled");
    const context = { ...it.context, signal: AbortSignal.abort(reason) };
    await expect(createGrepTool(it.files, async () => program, wrap).run({ pattern: "one" }, context)).rejects.toBe(
      reason,
    );
  });
});

test("ripgrep is looked for in absolute folders only", async () => {
  const folder = join(it.outside, "bin");
  await mkdir(folder);
  await writeFile(join(folder, "rg"), "", { mode: 0o755 });
  expect(await findProgram("rg", `.:bin:${folder}`)).toBe(join(folder, "rg"));
  expect(await findProgram("rg", ".:relative")).toBeUndefined();
});
