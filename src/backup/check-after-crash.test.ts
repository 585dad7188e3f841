import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { openSqlite } from "../store/sqlite.ts";
import { checkAfterCrash, wasCutOff } from "./check-after-crash.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-crash-"));
  folders.push(folder);
  return folder;
}

/** A store that was closed, and what a kill would have left of it. */
async function makeStores(): Promise<{ closed: string; killed: string }> {
  const [folder, killedFolder] = [makeFolder(), makeFolder()];
  const db = openSqlite(join(folder, "parley.db"));
  await db.transact([{ sql: "INSERT INTO meta (name, value) VALUES ('a', ?)", params: ["x".repeat(100_000)] }]);
  cpSync(folder, killedFolder, { recursive: true });
  await db.close();
  return { closed: join(folder, "parley.db"), killed: join(killedFolder, "parley.db") };
}

/** What the check says once its time has come. */
async function checked(file: string): Promise<readonly string[]> {
  const clock = createFakeClock();
  const said = Promise.withResolvers<readonly string[]>();
  const close = checkAfterCrash(file, {
    clock,
    onDamage: said.resolve,
    onWhole: () => said.resolve([]),
    onBug: (_what, error) => said.reject(error),
  });
  await clock.advance(60_000);
  const problems = await said.promise;
  await close();
  return problems;
}

test("a stop that was not clean is seen, and a clean one is none", async () => {
  const { closed, killed } = await makeStores();
  expect(wasCutOff(killed)).toBe(true);
  expect(wasCutOff(closed)).toBe(false);
  expect(wasCutOff(join(makeFolder(), "parley.db"))).toBe(false);
});

test("a whole store is found whole, a damaged one damaged", async () => {
  const { closed, killed } = await makeStores();
  expect(await checked(killed)).toEqual([]);
  const bytes = readFileSync(closed);
  bytes.fill(0x5a, 4096 * 3, 4096 * 9);
  writeFileSync(closed, bytes);
  expect((await checked(closed)).length).toBeGreaterThan(0);
});

test("it does not begin before its time, and can be given up before and after", async () => {
  const { closed } = await makeStores();
  const clock = createFakeClock();
  const calls: string[] = [];
  const deps = {
    clock,
    onDamage: () => calls.push("damage"),
    onWhole: () => calls.push("whole"),
    onBug: (what: string) => calls.push(what),
  };
  await checkAfterCrash(closed, deps)();
  expect(clock.timers()).toBe(0);
  const close = checkAfterCrash(closed, deps);
  await clock.advance(10_000);
  await close();
  expect(calls.filter((call) => call !== "whole")).toEqual([]);
});
