import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openDataDir, readOrMakeToken } from "./data-dir.ts";
import type { Disk } from "./durable-file.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-data-dir-"));
  folders.push(folder);
  return folder;
}

/** A disk that keeps over a power cut only what was synced, and loses power after so many steps. */
function createFailingDisk({ steps, syncs }: { readonly steps: number; readonly syncs: boolean }) {
  const files = new Map<string, { readonly text: string; isSynced: boolean }>();
  const durableNames = new Map<string, string>();
  let left = steps;
  const step = (): void => {
    if (left-- === 0) throw new Error("power cut");
  };
  const disk: Disk = {
    write(file, text) {
      step();
      files.set(file, { text, isSynced: false });
      step();
      files.set(file, { text, isSynced: syncs });
    },
    rename(from, to) {
      step();
      const file = files.get(from);
      if (file === undefined) throw new Error(`no ${from}`);
      files.delete(from);
      files.set(to, file);
      // Names reach the disk whenever it likes, at once too.
      durableNames.set(to, to);
    },
    remove: (file) => void (left >= 0 && files.delete(file)),
    syncFolder: step,
  };
  return {
    disk,
    /** What is in a file after the power is back; undefined = there is no such file. */
    afterCut(file: string): string | undefined {
      const found = durableNames.has(file) ? files.get(file) : undefined;
      return found?.isSynced === false ? "" : found?.text;
    },
  };
}

function tokensAfterCuts(syncs: boolean): (string | undefined)[] {
  return Array.from({ length: 6 }, (_, steps) => {
    const folder = makeFolder();
    const { disk, afterCut } = createFailingDisk({ steps, syncs });
    try {
      readOrMakeToken(folder, disk);
    } catch {
      // The power cut.
    }
    return afterCut(join(folder, "token"));
  });
}

describe("the token", () => {
  test("is whole or not there, whenever the power is cut while it is made", () => {
    const found = tokensAfterCuts(true);
    expect(found.filter((text) => text !== undefined && !/^[\w-]{43}\n$/.test(text))).toEqual([]);
    expect(found.at(0)).toBeUndefined();
    expect(found.at(-1)).toBeDefined();
  });

  test("control: without the sync before its name a cut leaves an empty one", () => {
    expect(tokensAfterCuts(false)).toContain("");
  });

  test("is stored under its name in a folder that was synced", () => {
    const synced: string[] = [];
    const written: string[] = [];
    const folder = makeFolder();
    readOrMakeToken(folder, {
      write: (file) => written.push(basename(file)),
      rename: (_from, to) => written.push(basename(to)),
      remove: () => undefined,
      syncFolder: (path) => synced.push(`${path} after ${written.join(", ")}`),
    });
    expect(synced).toEqual([`${folder} after token.${process.pid}.tmp, token`]);
  });

  test("is made once and readable by its owner alone", () => {
    const folder = makeFolder();
    const token = readOrMakeToken(folder);
    expect(readOrMakeToken(folder)).toBe(token);
    expect(readFileSync(join(folder, "token"), "utf8")).toBe(`${token}\n`);
    expect(statSync(join(folder, "token")).mode & 0o777).toBe(0o600);
  });
});

test("a data directory that others may enter is closed to them", () => {
  const folder = join(makeFolder(), "data");
  mkdirSync(folder, { mode: 0o755 });
  openDataDir(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});
