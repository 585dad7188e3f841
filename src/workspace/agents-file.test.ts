import { appendFile, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createWorkspaceInstructions } from "./agents-file.ts";
import { createFiles } from "./files.ts";
import { createPathGuard } from "./path-guard.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A workspace with an engine's data beside it, or one that the engine made in it, and what it says. */
async function setUp(allows: (folder: string) => boolean = () => true, isOwn = false) {
  const root = await realpath(await mkdtemp(join(tmpdir(), "parley-agents-")));
  folders.push(root);
  const dataDir = join(root, "data");
  const workspace = isOwn ? join(dataDir, "workspaces", "ses_1") : join(root, "work");
  for (const folder of [dataDir, workspace]) await mkdir(folder, { recursive: true });
  const files = createFiles(await createPathGuard(dataDir, allows));
  let reads = 0;
  const counting = { ...files, read: (...args: Parameters<typeof files.read>) => (reads++, files.read(...args)) };
  const instructions = createWorkspaceInstructions(counting);
  const file = join(workspace, "AGENTS.md");
  return { root, workspace, dataDir, file, say: () => instructions.read(workspace), reads: () => reads };
}

test.each([false, true])("a workspace without the file says nothing, and nothing is read (own: %s)", async (isOwn) => {
  const { say, reads } = await setUp(undefined, isOwn);
  expect(await say()).toBe("");
  expect(reads()).toBe(0);
});

test.each([false, true])("what it says is named, read once, and again when it has changed (own: %s)", async (isOwn) => {
  const { file, say, reads } = await setUp(undefined, isOwn);
  await writeFile(file, "\uFEFF  Use tabs. 🐦\n");
  expect([await say(), await say()]).toEqual(Array(2).fill("The workspace's AGENTS.md says:\n\nUse tabs. 🐦"));
  expect(reads()).toBe(1);
  await appendFile(file, "Use no tabs.");
  expect(await say()).toContain("Use no tabs.");
  await writeFile(`${file}.new`, "Another.");
  await rename(`${file}.new`, file);
  expect(await say()).toContain("Another.");
  expect(reads()).toBe(3);
  await rm(file);
  expect(await say()).toBe("");
});

test("what is longer than 64 KiB is cut, never in a character, and says so", async () => {
  const { file, say } = await setUp();
  await writeFile(file, "€".repeat(30_000));
  const said = await say();
  expect(said).toContain("[AGENTS.md has 90000 bytes; what comes after 65536 is left out]");
  expect(said).not.toContain("\uFFFD");
  expect(said.match(/€/g)).toHaveLength(Math.floor(65_536 / 3));
});

test("a link to a file of the workspace is followed, one that leads out of it is not", async () => {
  const { root, workspace, file, say, dataDir } = await setUp();
  await writeFile(join(workspace, "CLAUDE.md"), "inside");
  await symlink("CLAUDE.md", file);
  expect(await say()).toContain("inside");
  await writeFile(join(root, "secret"), "SECRET");
  await writeFile(join(dataDir, "token"), "SECRET");
  for (const target of ["../secret", join(root, "secret"), join(dataDir, "token"), "/etc/passwd"]) {
    await rm(file);
    await symlink(target, file);
    const said = await say();
    expect(said).toContain("AGENTS.md that is not used");
    expect(said).not.toMatch(/SECRET|root:/);
  }
});

test.each([
  ["a folder", (file: string) => mkdir(file), "it is a folder"],
  ["binary", (file: string) => writeFile(file, Buffer.from([0xff, 0xfe, 0x00])), "not UTF-8"],
  ["a link to itself", (file: string) => symlink("AGENTS.md", file), "ELOOP"],
  ["far too large", (file: string) => writeFile(file, Buffer.alloc(17 * 1024 * 1024, "x")), "larger than 16 MiB"],
])(
  "one that is %s is not used, and the model is told why, without a look at it each time",
  async (_what, make, why) => {
    const { file, say, reads } = await setUp();
    await make(file);
    expect(await say()).toContain(why);
    const before = reads();
    expect(await say()).toContain(why);
    expect(reads()).toBe(before);
  },
);

test("a link out of a folder that the engine made is not followed either", async () => {
  const { dataDir, file, say } = await setUp(undefined, true);
  await writeFile(join(dataDir, "token"), "SECRET");
  await symlink("../../token", file);
  expect(await say()).toMatch(/AGENTS\.md that is not used/);
  expect(await say()).not.toContain("SECRET");
});

test("an empty one says nothing", async () => {
  const { file, say } = await setUp();
  await writeFile(file, " \n\n");
  expect(await say()).toBe("");
});

test("a workspace that the engine may not touch says nothing, and neither does a session without one", async () => {
  const { file, say, reads } = await setUp(() => false);
  await writeFile(file, "hello");
  expect(await say()).toBe("");
  expect(reads()).toBe(0);
});
