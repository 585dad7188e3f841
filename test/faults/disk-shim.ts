import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { makeTempDir } from "../helpers/engine-process.ts";

/** What disk-shim.c is told. */
export interface DiskFaults {
  readonly dir: string;
  readonly twins?: boolean;
  readonly fsyncMs?: number;
  readonly quotaBytes?: number;
}

/** Whether disks can be made to fail here; in CI they can, or it is a failure. */
export const hasCompiler =
  process.env["CI"] === "true" || spawnSync("cc", ["--version"], { stdio: "ignore" }).error === undefined;

let library: string | undefined;

/** The variables that put disk-shim.c between a program and its disk. */
export function diskEnv({ dir, twins = false, fsyncMs, quotaBytes }: DiskFaults): Record<string, string> {
  library ??= compile();
  return {
    LD_PRELOAD: library,
    PARLEY_DISK_DIR: dir,
    ...(twins && { PARLEY_DISK_TWINS: "1" }),
    ...(fsyncMs !== undefined && { PARLEY_DISK_FSYNC_MS: String(fsyncMs) }),
    ...(quotaBytes !== undefined && { PARLEY_DISK_QUOTA: String(quotaBytes) }),
  };
}

function compile(): string {
  const file = join(makeTempDir("shim"), "disk-shim.so");
  const source = join(import.meta.dirname, "disk-shim.c");
  const { status, stderr, error } = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", file, source], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cc: ${error?.message ?? stderr}`);
  return file;
}
