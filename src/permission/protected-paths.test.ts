import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeWorkspace, type TestWorkspace } from "../../test/helpers/workspace.ts";
import type { Subject } from "../tool/tool.ts";
import { isWithin } from "../workspace/path-names.ts";
import { PROTECTED_NAMES } from "../workspace/protected-names.ts";
import { createProtectedPaths, type ProtectedPaths } from "./protected-paths.ts";

let it: TestWorkspace;
let paths: ProtectedPaths;
beforeEach(async () => {
  it = await makeWorkspace();
  paths = createProtectedPaths(it.dataDir);
});
afterEach(() => it.dispose());

const subject = (path: string, access: "read" | "write" = "write"): Subject => ({
  kind: "path",
  access,
  path: join(it.workspace, path),
  given: join(it.workspace, path),
});

const at = (path: string): Subject => ({ kind: "path", access: "write", path, given: path });

/** What the file tools and the permission decision say of a path: both refuse, or neither. */
async function refusals(path: string): Promise<readonly boolean[]> {
  const byTools = await it.files.locate(it.workspace, path, "write").then(
    () => false,
    (error: { reason: string }) => error.reason === "PATH_PROTECTED",
  );
  return [byTools, paths.refusal(subject(path), it.workspace) !== undefined];
}

/** How a name is written to look like another one. */
const DISGUISES: readonly (readonly [string, (name: string) => string])[] = [
  ["as it is", (name) => name],
  ["in capitals", (name) => name.toUpperCase()],
  ["in a folder below", (name) => `a/b/${name}`],
  ["with something in it", (name) => `${name}/x`],
  ["with dots and blanks at the end", (name) => `${name}. .`],
  ["with what shows nothing", (name) => `${name[0] ?? ""}\u200d${name.slice(1)}`],
  ["in another form of Unicode", (name) => name.replaceAll("s", "\u017f").replaceAll("k", "\u212a")],
  ["with a stream", (name) => `${name}::$DATA`],
];

describe.each(DISGUISES)("a protected name %s", (_, disguise) => {
  test.each(PROTECTED_NAMES)("%s is refused by the file tools and by the decision, before it exists", async (name) => {
    expect(await refusals(disguise(name))).toEqual([true, true]);
  });
});

test.each([".git/modules/x/hooks/post-checkout", ".git/modules/x/config", ".git/worktrees/y/config.worktree"])(
  "%s is refused by both",
  async (path) => expect(await refusals(path)).toEqual([true, true]),
);

test.each([
  ".github/workflows/ci.yml",
  "hooks/git",
  "config",
  ".gitignore",
  "src/.profile.ts",
  ".ssh-notes",
  "a:b",
  "...",
])("control: %s is an ordinary name to both", async (path) => expect(await refusals(path)).toEqual([false, false]));

test("reading a protected name is no matter of either", async () => {
  await it.put(".bashrc", "x");
  await expect(it.files.locate(it.workspace, ".bashrc", "read")).resolves.toBeDefined();
  expect(paths.refusal(subject(".bashrc", "read"), it.workspace)).toBeUndefined();
});

test("the data directory is refused by both, for reading too, through links and in capitals", async () => {
  const around = join(it.workspace, "..");
  await symlink(it.dataDir, join(around, "link"));
  for (const access of ["read", "write"] as const) {
    for (const path of ["data", "data/token", "link/token"]) {
      await expect(it.files.locate(around, path, access)).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
    }
    for (const path of ["data", "data/token", "DATA/token"]) {
      const touched: Subject = { kind: "path", access, path: join(around, path), given: join(around, path) };
      expect(paths.refusal(touched, around)).toContain("the engine's own folder");
    }
  }
});

test("a workspace that has a protected name was chosen by somebody; what is protected in it stays so", async () => {
  const workspace = join(it.workspace, ".vscode");
  await it.put(".vscode/a.txt", "a");
  await expect(it.files.locate(workspace, "a.txt", "write")).resolves.toBeDefined();
  expect(paths.refusal(at(join(workspace, "a.txt")), workspace)).toBeUndefined();
  await expect(it.files.locate(workspace, ".bashrc", "write")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  expect(paths.refusal(at(join(workspace, ".bashrc")), workspace)).toContain(".bashrc");
  // Another folder that looks like it is none that anybody chose.
  expect(paths.refusal(at(join(it.workspace, ".VSCODE/a.txt")), workspace)).toContain(".vscode");
});

test("what lies in a folder is told by whole names, exactly: a folder that only looks like it is another one", () => {
  expect(isWithin("/ws/a", "/ws")).toBe(true);
  for (const path of ["/WS/a", "/ws-other/a", "/w", "", "/ws\u200d/a"]) expect(isWithin(path, "/ws")).toBe(false);
  expect(isWithin("/a", "")).toBe(false);
});
