import {
  chmodSync,
  cpSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readEvent } from "../src/cli/doctor.ts";
import { examine } from "../src/doctor/examine.ts";
import type { Finding } from "../src/doctor/finding.ts";
import { Role } from "../gen/ts/parley/v1/message_pb.ts";
import { createSession, runTurn, text } from "./api/observe.ts";
import { startTestEngine, type TestEngine } from "./api/test-engine.ts";
import { makeTempDir } from "./helpers/engine-process.ts";

const FILE = new TextEncoder().encode("a file of a message");

let engine: TestEngine;
beforeAll(async () => {
  engine = await startTestEngine();
  for (const said of ["count to 3", "think: what time is it in Tokyo and Paris?", "write 200 words fast"]) {
    const { id } = await createSession(engine, { profile: "demo" });
    await runTurn(engine, id, said);
    await runTurn(engine, id, "echo: again");
    await engine.sessions.updateSession({ sessionId: id, title: said });
  }
  const { session } = await engine.sessions.createSession({});
  const file = { case: "file" as const, value: { data: FILE, name: "a.txt", mediaType: "text/plain" } };
  await engine.sessions.appendMessage({ sessionId: session!.id, role: Role.USER, parts: [{ content: file }] });
  await editHistories();
  await engine.stop();
});

/** Forks, edits, rewinds and clears: what makes a log another one than that of a plain conversation. */
async function editHistories(): Promise<void> {
  const { id: sessionId } = await createSession(engine, { profile: "demo" });
  for (const said of ["count to 3", "what time is it in Rome?", "echo: end"]) await runTurn(engine, sessionId, said);
  const { messages } = await engine.sessions.listMessages({ sessionId });
  const second = messages.filter(({ role }) => role === Role.USER)[1]!.id;
  await engine.sessions.forkSession({ sessionId });
  const { session: fork } = await engine.sessions.forkSession({ sessionId, beforeMessageId: second });
  await runTurn(engine, fork!.id, "echo: another way");
  await engine.sessions.updateMessage({ sessionId, messageId: messages[0]!.id, parts: text("edited") });
  await engine.sessions.rewindSession({ sessionId, messageId: second });
  await engine.sessions.appendMessage({ sessionId, role: Role.USER, parts: text("added") });
  await runTurn(engine, sessionId, "echo: on from here");
  const { id: cleared } = await createSession(engine, { profile: "demo" });
  await runTurn(engine, cleared, "count to 3");
  await engine.sessions.clearHistory({ sessionId: cleared });
  await runTurn(engine, cleared, "count to 4");
}
afterAll(() => engine.dispose());

const failures = (dataDir: string): readonly Finding[] =>
  examine(dataDir, readEvent).filter(({ state }) => state === "failed");

function copy(): string {
  const dataDir = makeTempDir("doctor");
  cpSync(engine.dataDir, dataDir, { recursive: true });
  chmodSync(join(dataDir, "token"), 0o600);
  chmodSync(dataDir, 0o700);
  return dataDir;
}

function sql(dataDir: string, text: string): void {
  const db = new Sqlite(join(dataDir, "parley.db"));
  db.exec(text);
  db.close();
}

test("nothing is wrong with what an engine leaves, and it is as it was afterwards", () => {
  const dataDir = copy();
  const before = readFileSync(join(dataDir, "parley.db"));
  expect(failures(dataDir)).toEqual([]);
  expect(readFileSync(join(dataDir, "parley.db")).equals(before)).toBe(true);
});

describe("what is wrong is found and named:", () => {
  const harms: readonly [string, string, RegExp, (dataDir: string) => void][] = [
    ["a missing event", "logs", /: 2 to 2 are missing/, (dir) => sql(dir, "DELETE FROM events WHERE seq = 2")],
    [
      "a log that lost its end",
      "logs",
      /its log ends at/,
      (dir) => sql(dir, "UPDATE sessions SET last_seq = last_seq + 1"),
    ],
    ["a log that is gone", "logs", /its log ends at 0/, (dir) => sql(dir, "DELETE FROM events")],
    [
      "a message without its event",
      "messages",
      /has no event/,
      (dir) => sql(dir, "UPDATE messages SET seq = seq + 1000"),
    ],
    ["an event without its message", "messages", /is no message/, (dir) => sql(dir, "DELETE FROM messages")],
    [
      "an event that is none",
      "logs",
      /event 1 cannot be read/,
      (dir) => sql(dir, "UPDATE events SET payload = x'ff' WHERE seq = 1"),
    ],
    [
      "an entry of the audit log that was changed",
      "audit log",
      /entry 1 is not what it was/,
      (dir) => sql(dir, "DROP TRIGGER audit_is_not_changed; UPDATE audit_entries SET actor = 'eve' WHERE seq = 1"),
    ],
    [
      "an audit log whose end is gone",
      "audit log",
      /missing at the end/,
      (dir) => sql(dir, `DROP TRIGGER audit_is_not_removed; DELETE FROM audit_entries WHERE action = 'ENGINE_STOPPED'`),
    ],
    ["overwritten pages", "integrity", /the database is damaged: .*parley restore DIR/, (dir) => overwrite(dir, 20)],
    ["an overwritten head", "store", /cannot be read .*parley restore DIR/, (dir) => overwrite(dir, 0)],
    ["a database that was cut off", "store", /cannot be read/, (dir) => cutOff(dir)],
    ["a newer store", "store", /start the newer engine/, (dir) => sql(dir, "PRAGMA user_version = 999")],
    ["another program's database", "store", /not a database of parley/, (dir) => sql(dir, "PRAGMA application_id = 1")],
    [
      "a token that others can read",
      "token",
      /mode 644\) is open to others; chmod 600/,
      (dir) => chmodSync(join(dir, "token"), 0o644),
    ],
    ["an empty token", "token", /is empty; remove it/, (dir) => writeFileSync(join(dir, "token"), "")],
    ["an open data directory", "data directory", /chmod 700/, (dir) => chmodSync(dir, 0o755)],
    ["a file that is gone", "blobs", /upload them again/, (dir) => rmSync(wantedBlob(dir))],
    ["a file that was cut off", "blobs", /missing or cut off/, (dir) => truncateSync(wantedBlob(dir), 3)],
    [
      "a restore that was cut off",
      "restore",
      /puts the store from before it back/,
      (dir) => writeFileSync(join(dir, "restore.json"), "{}"),
    ],
  ];
  test.each(harms)("%s", (_what, name, words, harm) => {
    const dataDir = copy();
    harm(dataDir);
    expect(failures(dataDir)).toContainEqual({ name, state: "failed", detail: expect.stringMatching(words) as string });
  });

  test("no folder, and no store yet", () => {
    expect(failures("/nowhere")).toHaveLength(1);
    const dataDir = copy();
    rmSync(join(dataDir, "parley.db"));
    expect(failures(dataDir)).toEqual([]);
  });

  test("files that nothing names: a warning where one is missing, and where one is too much", () => {
    expect(blobsAfter(() => {})).toEqual({ name: "blobs", state: "ok", detail: "1, and all their files are there" });
    expect(blobsAfter((dir) => writeFileSync(join(dir, "blobs", "upload-1-1"), "half"))).toMatchObject({
      state: "warning",
      detail: expect.stringMatching(/^1 files are of no upload that ended/) as string,
    });
    expect(blobsAfter(loseUnwanted)).toMatchObject({
      state: "warning",
      detail: expect.stringMatching(/^1 files that nothing names are missing/) as string,
    });
    expect(blobsAfter((dir) => rmSync(join(dir, "blobs"), { recursive: true }))).toMatchObject({ state: "failed" });
  });

  test("what was killed: a warning, no failure", () => {
    const dataDir = copy();
    writeFileSync(join(dataDir, "engine.json"), JSON.stringify({ url: "http://127.0.0.1:1", pid: 1, version: "0" }));
    renameSync(join(dataDir, "parley.db.ballast"), join(dataDir, "elsewhere"));
    const states = examine(dataDir, readEvent).filter(({ state }) => state !== "ok");
    expect(states.map(({ name, state }) => `${name} ${state}`)).toEqual(["engine warning", "reserve warning"]);
  });
});

/** What is said of uploaded files after some harm. */
function blobsAfter(harm: (dataDir: string) => void): Finding | undefined {
  const dataDir = copy();
  harm(dataDir);
  return examine(dataDir, readEvent).find(({ name }) => name === "blobs");
}

function loseUnwanted(dataDir: string): void {
  rmSync(wantedBlob(dataDir));
  sql(dataDir, "DELETE FROM blob_references");
}

/** Where the one file is that is in a message. */
function wantedBlob(dataDir: string): string {
  const [name = "", ...others] = readdirSync(join(dataDir, "blobs"));
  expect(others).toEqual([]);
  return join(dataDir, "blobs", name);
}

function overwrite(dataDir: string, page: number): void {
  const file = join(dataDir, "parley.db");
  const bytes = readFileSync(file);
  bytes.fill(0x5a, page * 4096, page * 4096 + 4 * 4096);
  writeFileSync(file, bytes);
}

function cutOff(dataDir: string): void {
  const file = join(dataDir, "parley.db");
  truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096);
}
