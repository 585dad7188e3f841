import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { readConfig } from "../../src/config.ts";
import { startEngine } from "../../src/engine.ts";
import { createSession, refusalOf } from "./observe.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;
let folder: string;
beforeEach(async () => {
  engine = await startTestEngine();
  folder = await realpath(await mkdtemp(join(tmpdir(), "parley-workspaces-")));
});
afterEach(async () => {
  await engine.dispose();
  await rm(folder, { recursive: true });
});

test("a session that is given no workspace gets a fresh folder for itself, which its owner alone can read", async () => {
  const [one, two] = [await createSession(engine, {}), await createSession(engine, {})];
  const fresh = join(await realpath(engine.dataDir), "workspaces");
  expect([one.workspace, two.workspace]).toEqual([join(fresh, one.id), join(fresh, two.id)]);
  const made = await stat(one.workspace);
  expect(made.isDirectory()).toBe(true);
  expect(made.mode & 0o777).toBe(0o700);
});

test("the same key again is the same session in the same folder", async () => {
  const request = { idempotencyKey: "k" };
  const sessions = await Promise.all(Array.from({ length: 5 }, () => createSession(engine, request)));
  expect(new Set(sessions.map(({ workspace }) => workspace)).size).toBe(1);
});

test("the engine's own data is no workspace, under any name; a folder made for a session is", async () => {
  const link = join(folder, "link");
  await symlink(engine.dataDir, link);
  for (const workspace of [engine.dataDir, link, join(link, "blobs/.."), join(engine.dataDir, "workspaces")]) {
    expect(await refusalOf(engine.sessions.createSession({ workspace }))).toMatchObject({
      code: "PERMISSION_DENIED",
      reason: "WORKSPACE_NOT_ALLOWED",
    });
  }
  const { workspace } = await createSession(engine, {});
  expect((await createSession(engine, { workspace })).workspace).toBe(workspace);
  expect((await engine.sessions.listSessions({})).sessions).toHaveLength(2);
});

test("workspaces are limited to the folders that were named, and below", async () => {
  const [root, other] = [join(folder, "root"), join(folder, "root-other")];
  for (const path of [join(root, "below"), other]) await mkdir(path, { recursive: true });
  await symlink(other, join(root, "out"));
  const dataDir = join(folder, "data");
  const config = readConfig({ PARLEY_DATA_DIR: dataDir, PARLEY_PORT: "0" }, { workspaceRoot: [root] });
  const limited = await startEngine(config, { logger: pino({ level: "silent" }) });
  const client = createClient({ url: limited.url, token: limited.token });
  try {
    for (const workspace of [root, join(root, "below"), ""]) {
      expect((await client.sessions.createSession({ workspace })).session?.id).toMatch(/^ses_/);
    }
    for (const workspace of [other, folder, "/", join(root, "out"), join(root, "..")]) {
      expect(await refusalOf(client.sessions.createSession({ workspace }))).toMatchObject({
        reason: "WORKSPACE_NOT_ALLOWED",
      });
    }
  } finally {
    client.close();
    await limited.close();
  }
});

test("an engine does not start with a root that is no folder, and says which", async () => {
  await writeFile(join(folder, "file"), "");
  for (const root of [join(folder, "none"), join(folder, "file")]) {
    const config = readConfig({ PARLEY_DATA_DIR: join(folder, "data"), PARLEY_PORT: "0", PARLEY_WORKSPACE_ROOT: root });
    await expect(startEngine(config, { logger: pino({ level: "silent" }) })).rejects.toThrow(
      `--workspace-root ${root}: `,
    );
  }
  expect(() => readConfig({}, { workspaceRoot: [""] })).toThrow("--workspace-root is empty");
});

test("a workspace is trusted and not, and keeps what was said over a restart", async () => {
  const { workspaces } = engine;
  expect(await refusalOf(workspaces.getWorkspace({ path: folder }))).toMatchObject({
    code: "NOT_FOUND",
    reason: "WORKSPACE_NOT_FOUND",
  });
  await createSession(engine, { workspace: folder });
  expect((await workspaces.getWorkspace({ path: `${folder}/.` })).workspace).toMatchObject({
    path: folder,
    trusted: false,
    sessionCount: 1n,
  });
  const { workspace } = await workspaces.setWorkspaceTrust({ path: folder, trusted: true });
  expect(workspace?.trusted).toBe(true);
  expect(workspace?.createTime).toBeDefined();
  expect(workspace?.useTime).toBeDefined();
  engine = await engine.restart();
  const kept = (await engine.workspaces.getWorkspace({ path: folder })).workspace;
  expect(kept).toEqual(workspace);
  await engine.workspaces.setWorkspaceTrust({ path: folder, trusted: false });
  expect((await engine.workspaces.getWorkspace({ path: folder })).workspace?.trusted).toBe(false);
});

test("trust is given to folders that there are, and can be taken from one that is gone", async () => {
  const gone = join(folder, "gone");
  await mkdir(gone);
  await engine.workspaces.setWorkspaceTrust({ path: gone, trusted: true });
  await rm(gone, { recursive: true });
  expect((await engine.workspaces.setWorkspaceTrust({ path: gone, trusted: false })).workspace?.trusted).toBe(false);
  for (const path of [gone, "relative", "a\0b", join(folder, "none")]) {
    expect(await refusalOf(engine.workspaces.setWorkspaceTrust({ path, trusted: true }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_WORKSPACE",
      metadata: { field: "path" },
    });
  }
});

test("workspaces are listed by path, each once, page by page", async () => {
  const paths = ["b", "a", "é", "c"].map((name) => join(folder, name));
  for (const path of paths) await mkdir(path);
  for (const path of [...paths.slice(0, 3), ...paths.slice(0, 2)]) await createSession(engine, { workspace: path });
  for (const path of paths.slice(2)) await engine.workspaces.setWorkspaceTrust({ path, trusted: true });
  const found: [string, bigint, boolean][] = [];
  let pageToken = "";
  do {
    const page = await engine.workspaces.listWorkspaces({ pageSize: 1, pageToken });
    for (const { path, sessionCount, trusted } of page.workspaces) found.push([path, sessionCount, trusted]);
    ({ nextPageToken: pageToken } = page);
  } while (pageToken !== "");
  expect(found).toEqual([
    [join(folder, "a"), 2n, false],
    [join(folder, "b"), 2n, false],
    [join(folder, "c"), 0n, true],
    [join(folder, "é"), 1n, true],
  ]);
});
