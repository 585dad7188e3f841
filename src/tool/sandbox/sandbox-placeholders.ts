import { lstat, mkdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";

/**
 * Empty folders that stand in workspaces for names that no command may make, since only what is there can be closed. They are
 * written down as well, so that an engine that starts after one was killed can take them away.
 */
export interface Placeholders {
  /** A command is about to run in a workspace. Of `paths`, what is missing is put there, and stays as long as the command runs. */
  hold(workspace: string, paths: readonly string[]): Promise<void>;
  /** A command has ended. With the last one of a workspace its folders go, as far as they still are empty. */
  release(workspace: string): Promise<void>;
  /** Takes away what a killed engine left. */
  removeLeft(): Promise<void>;
}

/** `file` is where they are written down. */
export function createPlaceholders(file: string): Placeholders {
  const held = new Map<string, { count: number; readonly paths: Set<string> }>();
  let last = Promise.resolve();

  /** One after the other: what is put there for one command must not be on its way out for another. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }

  /** Never half. */
  async function write(): Promise<void> {
    const paths = [...held.values()].flatMap((each) => [...each.paths]);
    if (paths.length === 0) return rm(file, { force: true });
    await writeFile(`${file}.tmp`, JSON.stringify(paths), { mode: 0o600 });
    await rename(`${file}.tmp`, file);
  }

  return {
    hold: (workspace, paths) =>
      inTurn(async () => {
        const entry = held.get(workspace) ?? { count: 0, paths: new Set() };
        held.set(workspace, entry);
        entry.count++;
        const missing = await findMissing(paths);
        for (const path of missing) entry.paths.add(path);
        if (missing.length > 0) await write();
        await Promise.all(missing.map(makeFolder));
      }),
    release: (workspace) =>
      inTurn(async () => {
        const entry = held.get(workspace);
        if (entry === undefined || --entry.count > 0) return;
        held.delete(workspace);
        await removeEmpty([...entry.paths]);
        await write();
      }),
    removeLeft: () =>
      inTurn(async () => {
        const text = await readFile(file, "utf8").catch(() => "[]");
        await removeEmpty(JSON.parse(text) as string[]);
        await rm(file, { force: true });
      }),
  };
}

async function findMissing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
  return paths.filter((_, index) => found[index] === undefined);
}

/** Where somebody was faster, what he made is closed; where nothing can be made, no command can make anything either. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch(() => undefined);
}

/** What has something in it now, or is gone, is somebody's. */
async function removeEmpty(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rmdir(path).catch(() => undefined)));
}
