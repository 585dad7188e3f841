import { execFileSync } from "node:child_process";
import { chmod, link, lstat, mkdir, readdir, readFile, rename, stat, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeWorkspace, type TestWorkspace } from "../../test/helpers/workspace.ts";
import { UNKEPT } from "./file-change.ts";
import { createFiles } from "./files.ts";
import { createPathGuard } from "./path-guard.ts";

let it: TestWorkspace;
beforeEach(async () => {
  it = await makeWorkspace();
  await it.put("src/a.txt", "a\n");
});
afterEach(() => it.dispose());

const read = async (path: string): Promise<string> => (await it.files.read(it.workspace, path)).bytes.toString("utf8");
const write = (path: string, text = "new\n"): Promise<void> =>
  it.files.write(it.workspace, path, { make: () => Buffer.from(text), around: UNKEPT });

test.each(["src/a.txt", "./src//a.txt", "src/../src/./a.txt", "src/none/../a.txt"])("%s is found", async (path) => {
  if (path.includes("none")) await mkdir(join(it.workspace, "src/none"));
  expect(await read(path)).toBe("a\n");
  expect(await read(join(it.workspace, "/./", "src/a.txt"))).toBe("a\n");
});

/** Links of all kinds that lead out. */
async function makeLinks(): Promise<void> {
  await symlink(it.outside, join(it.workspace, "out"));
  await symlink(join(it.outside, "secret.txt"), join(it.workspace, "secret"));
  await symlink("out", join(it.workspace, "chain"));
  await symlink("../outside", join(it.workspace, "relative"));
  await symlink("src", join(it.workspace, "inner"));
  await symlink("/proc/self", join(it.workspace, "proc"));
  await symlink(join(it.outside, "made"), join(it.workspace, "dangling"));
}

function pathOf(way: string): string {
  return way.replace("OUTSIDE", it.outside).replace("WORKSPACE", it.workspace);
}

describe("a path that leads out is refused for reading and writing", () => {
  const ways: readonly (readonly [string, string])[] = [
    ["up", "../outside/secret.txt"],
    ["up from below", "src/../../outside/secret.txt"],
    ["up and back in", "../work/src/a.txt"],
    ["absolute", "OUTSIDE/secret.txt"],
    ["absolute, beginning like the workspace", "WORKSPACE-other/secret.txt"],
    ["absolute and up", "WORKSPACE/../outside/secret.txt"],
    ["the home folder", "~/secret.txt"],
    ["through a link to a folder", "out/secret.txt"],
    ["through a link to a file", "secret"],
    ["through a link of a link", "chain/secret.txt"],
    ["through a link that goes up", "relative/secret.txt"],
    ["through a link and up", "inner/../../outside/secret.txt"],
    ["through a link to what the process has open", "proc/cwd/package.json"],
    ["through a link to nothing yet", "dangling"],
  ];
  test.each(ways)("%s", async (_, way) => {
    await makeLinks();
    const path = pathOf(way);
    await expect(read(path)).rejects.toMatchObject({ reason: "PATH_OUTSIDE" });
    await expect(write(path)).rejects.toMatchObject({ reason: "PATH_OUTSIDE" });
    await expect(it.files.locate(it.workspace, path, "read")).rejects.toMatchObject({ reason: "PATH_OUTSIDE" });
    expect(await readdir(it.outside)).toEqual(["secret.txt"]);
    expect(await readFile(join(it.outside, "secret.txt"), "utf8")).toBe("secret\n");
  });

  test("control: a plain read of these paths gets out", async () => {
    await makeLinks();
    const plain = ways.map(([, way]) => readFile(resolve(it.workspace, pathOf(way)), "utf8"));
    const texts = (await Promise.allSettled(plain)).map((read) => (read.status === "fulfilled" ? read.value : ""));
    expect(texts.filter((text) => text === "secret\n").length).toBeGreaterThanOrEqual(8);
  });
});

test("links that stay in the workspace are followed, and what they lead to is what is judged and changed", async () => {
  await symlink("src", join(it.workspace, "inner"));
  await symlink(join(it.workspace, "inner/a.txt"), join(it.workspace, "absolute"));
  expect(await read("inner/a.txt")).toBe("a\n");
  expect(await it.files.locate(it.workspace, "absolute", "write")).toEqual({
    path: join(it.workspace, "src/a.txt"),
    given: join(it.workspace, "absolute"),
  });
  await write("absolute");
  expect(await it.get("src/a.txt")).toBe("new\n");
  expect((await lstat(join(it.workspace, "absolute"))).isSymbolicLink()).toBe(true);
});

test("links that lead in circles, and paths that are none, are refused", async () => {
  await symlink("b", join(it.workspace, "a"));
  await symlink("a", join(it.workspace, "b"));
  for (const path of ["a", "", "a\0b", "x".repeat(5000), "\ud800", "y/".repeat(200)]) {
    await expect(read(path)).rejects.toThrow(/circles|empty|at most|NUL|half a character|folders deep/);
  }
  await expect(write("z/".repeat(200))).rejects.toMatchObject({ reason: "PATH_INVALID" });
  expect(await readdir(it.workspace)).toEqual(["a", "b", "src"]);
  await expect(write("n".repeat(300))).rejects.toMatchObject({ reason: "PATH_INVALID" });
  await expect(read("src")).rejects.toMatchObject({ reason: "PATH_NOT_A_FILE" });
  await expect(read("src/a.txt/b")).rejects.toMatchObject({ reason: "PATH_NOT_A_FOLDER" });
});

test("a pipe, a socket and a device are refused at once", async () => {
  execFileSync("mkfifo", [join(it.workspace, "pipe")]);
  const server = createServer().listen(join(it.workspace, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  await expect(read("pipe")).rejects.toThrow("pipe: it is a pipe, not a file");
  await expect(write("pipe")).rejects.toThrow("it is a pipe");
  await expect(read("socket")).rejects.toThrow("it is a socket");
  await new Promise((resolve) => server.close(resolve));
  const devices = createFiles(await createPathGuard(it.dataDir, () => true));
  await expect(devices.read("/dev", "zero")).rejects.toThrow("it is a device");
  await expect(devices.read("/proc/sys/kernel", "ostype")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
});

test("the data directory is refused under any name, also where the workspace is around it", async () => {
  const around = join(it.workspace, "..");
  await link(join(it.dataDir, "token"), join(it.workspace, "hard"));
  await symlink(join(it.dataDir, "token"), join(around, "soft"));
  for (const path of ["data/token", "DATA/../data/token", "soft", "data/new", "data"]) {
    if (path.startsWith("DATA")) await mkdir(join(around, "DATA"));
    await expect(it.files.read(around, path)).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
    await expect(it.files.write(around, path, { make: () => Buffer.from("x"), around: UNKEPT })).rejects.toMatchObject({
      reason: "PATH_PROTECTED",
    });
  }
  await expect(read("hard")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  await rename(join(it.workspace, "hard"), join(it.workspace, "hard2"));
  await expect(read("hard2")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  expect(await readFile(join(it.dataDir, "token"), "utf8")).toBe("token\n");
});

test("a folder that the engine made for a session is the session's, the rest of the data directory is not", async () => {
  const own = join(it.dataDir, "workspaces", "ses_1");
  await mkdir(own, { recursive: true });
  await it.files.write(own, "a.txt", { make: () => Buffer.from("mine"), around: UNKEPT });
  expect((await it.files.read(own, "a.txt")).bytes.toString()).toBe("mine");
  await expect(it.files.read(own, "../../token")).rejects.toMatchObject({ reason: "PATH_OUTSIDE" });
  await link(join(it.dataDir, "token"), join(own, "hard"));
  await expect(it.files.read(own, "hard")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  await expect(it.files.read(join(it.dataDir, "workspaces"), "ses_1/a.txt")).rejects.toMatchObject({
    reason: "PATH_PROTECTED",
  });
});

test.each([
  ".git/hooks/pre-commit",
  ".GIT/Hooks/pre-commit",
  "sub/.git/config",
  ".git/modules/x/hooks/post-checkout",
  ".g\u200cit/hooks/x",
  ".git./hooks/x",
  ".bashrc",
  ".BashRC",
  ".profile",
  ".mcp.json",
  ".vscode/settings.json",
  ".parley/agents/x.md",
  "\uff0egit/hooks/x",
  "src/../.zshrc",
])("%s is not written, before it exists and after", async (path) => {
  await expect(write(path)).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  await expect(it.files.locate(it.workspace, path, "write")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  await expect(it.files.remove(it.workspace, path, { around: UNKEPT })).rejects.toMatchObject({
    reason: "PATH_PROTECTED",
  });
  await it.put(path, "there\n");
  await expect(write(path)).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  expect(await read(path)).toBe("there\n");
});

test("a protected name is protected through a link to its folder", async () => {
  await mkdir(join(it.workspace, ".git/hooks"), { recursive: true });
  await symlink(".git/hooks", join(it.workspace, "harmless"));
  await expect(write("harmless/pre-commit")).rejects.toMatchObject({ reason: "PATH_PROTECTED" });
  // What only looks like one is an ordinary name.
  await write(".github/workflows/ci.yml");
  await write("hooks/git");
});

test("a file is made with the folders above it, and replaced with its mode; nothing else is left", async () => {
  await write("new/deep/file.txt");
  await write("src/run.sh");
  await chmod(join(it.workspace, "src/run.sh"), 0o755);
  await write("src/run.sh", "other\n");
  expect((await stat(join(it.workspace, "src/run.sh"))).mode & 0o777).toBe(0o755);
  expect(await readdir(join(it.workspace, "src"))).toEqual(["a.txt", "run.sh"]);
  expect(await it.get("new/deep/file.txt")).toBe("new\n");
});

test("other hard links of a file that is replaced keep what they had", async () => {
  await link(join(it.outside, "secret.txt"), join(it.workspace, "hard"));
  await write("hard");
  expect(await readFile(join(it.outside, "secret.txt"), "utf8")).toBe("secret\n");
});

function refuse(): Uint8Array {
  throw new Error("no content");
}

test("a write whose content cannot be made leaves nothing behind", async () => {
  await expect(it.files.write(it.workspace, "new/x", { make: refuse, around: UNKEPT })).rejects.toThrow("no content");
  await expect(it.files.write(it.workspace, "src/a.txt", { make: refuse, around: UNKEPT })).rejects.toThrow(
    "no content",
  );
  expect(await readdir(it.workspace, { recursive: true })).toEqual(["src", "src/a.txt"]);
});

test("a workspace that is no longer what it was is refused", async () => {
  await rename(it.workspace, `${it.workspace}-old`);
  await symlink(it.outside, it.workspace);
  await expect(read("secret.txt")).rejects.toThrow("a part of this path is no folder");
});

test("a session without a workspace, or with one that is not allowed, reaches no file", async () => {
  await expect(it.files.read("", "src/a.txt")).rejects.toThrow("this session has no workspace");
  const limited = createFiles(await createPathGuard(it.dataDir, (workspace) => workspace === it.workspace));
  expect((await limited.read(it.workspace, "src/a.txt")).bytes.toString()).toBe("a\n");
  await expect(limited.read(it.outside, "secret.txt")).rejects.toMatchObject({ reason: "PATH_OUTSIDE" });
  const walk = limited.walk(it.outside, ".", { maxDepth: 1, respectIgnore: false, signal: it.context.signal });
  await expect(walk.next()).rejects.toMatchObject({ reason: "PATH_OUTSIDE" });
});

async function countDescriptors(): Promise<number> {
  return (await readdir("/proc/self/fd")).length;
}

test("no descriptor stays open, whatever became of the path", async () => {
  const before = await countDescriptors();
  for (const path of ["src/a.txt", "src/none", "../x", "a\0", "src/a.txt/b", ".bashrc"]) {
    await read(path).catch(() => undefined);
    await write(path).catch(() => undefined);
    for await (const found of it.files.walk(it.workspace, ".", {
      maxDepth: 9,
      respectIgnore: true,
      signal: it.context.signal,
    })) {
      if (found.path === "src/a.txt") break;
    }
  }
  expect(await countDescriptors()).toBe(before);
});
