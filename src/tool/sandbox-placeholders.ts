import { readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";

/**
 * The empty folders that close names in workspaces while commands run there. They are known by a file as well, so that an engine
 * that starts after one was killed can take them away.
 */
export interface Placeholders {
  /** A command is about to run in a workspace; `paths` are missing there. */
  hold(workspace: string, paths: readonly string[]): Promise<void>;
  /** A command has ended. With the last one of a workspace its folders go, as far as they still are empty. */
  release(workspace: string): Promise<void>;
  /** Takes away what a killed engine left. */
  removeLeft(): Promise<void>;
}

/** `file` is where they are written down. */
export function createPlaceholders(file: string): Placeholders {
  const held = new Map<string, { count: number; readonly paths: Set<string> }>();
  let written = Promise.resolve();

  /** In turn, and never half. */
  function write(): Promise<void> {
    const paths = [...held.values()].flatMap((each) => [...each.paths]);
    written = written.then(async () => {
      if (paths.length === 0) return rm(file, { force: true });
      await writeFile(`${file}.tmp`, JSON.stringify(paths), { mode: 0o600 });
      await rename(`${file}.tmp`, file);
    });
    return written;
  }

  return {
    async hold(workspace, paths) {
      const entry = held.get(workspace) ?? { count: 0, paths: new Set() };
      held.set(workspace, entry);
      entry.count++;
      const known = entry.paths.size;
      for (const path of paths) entry.paths.add(path);
      if (entry.paths.size > known) await write();
    },
    async release(workspace) {
      const entry = held.get(workspace);
      if (entry === undefined || --entry.count > 0) return;
      held.delete(workspace);
      await removeEmpty([...entry.paths]);
      await write();
    },
    async removeLeft() {
      const text = await readFile(file, "utf8").catch(() => "[]");
      await removeEmpty(JSON.parse(text) as string[]);
      await rm(file, { force: true });
    },
  };
}

/** What has something in it now, or is gone, is somebody's. */
async function removeEmpty(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rmdir(path).catch(() => undefined)));
}
