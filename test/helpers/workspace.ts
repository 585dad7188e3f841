import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ToolContext } from "../../src/tool/tool.ts";
import { UNKEPT } from "../../src/workspace/file-change.ts";
import { createFiles, type Files } from "../../src/workspace/files.ts";
import { createPathGuard } from "../../src/workspace/path-guard.ts";

/** A workspace in a folder of its own, beside a data directory and a folder that is outside of both. */
export interface TestWorkspace {
  readonly files: Files;
  readonly context: ToolContext;
  readonly workspace: string;
  readonly outside: string;
  readonly dataDir: string;
  put(path: string, content: string | Uint8Array): Promise<void>;
  /** The text of a file. */
  get(path: string): Promise<string>;
  dispose(): Promise<void>;
}

export async function makeWorkspace(): Promise<TestWorkspace> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "parley-files-")));
  const [workspace, outside, dataDir] = [join(root, "work"), join(root, "outside"), join(root, "data")];
  for (const folder of [workspace, outside, dataDir]) await mkdir(folder);
  await writeFile(join(outside, "secret.txt"), "secret\n");
  await writeFile(join(dataDir, "token"), "token\n");
  return {
    files: createFiles(await createPathGuard(dataDir, () => true)),
    context: {
      sessionId: "ses_1",
      turnId: "turn_1",
      callId: "call_1",
      workspace,
      signal: new AbortController().signal,
      changes: UNKEPT,
      output: async () => {},
    },
    workspace,
    outside,
    dataDir,
    async put(path, content) {
      await mkdir(dirname(join(workspace, path)), { recursive: true });
      await writeFile(join(workspace, path), content);
    },
    get: (path) => readFile(join(workspace, path), "utf8"),
    dispose: () => rm(root, { recursive: true }),
  };
}
