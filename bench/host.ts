import { closeSync, fdatasyncSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from "node:fs";
import { cpus, homedir, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "./sample.ts";

/** f_type of tmpfs and ramfs in Linux's statfs: their fsync costs nothing, so nothing about a disk can be measured there. */
const MEMORY_FILESYSTEMS = new Set([0x01021994, 0x858458f6]);

/** Where data directories are made: on a disk, as users have it. */
export function scratchFolder(): string {
  const shared = tmpdir();
  const base = MEMORY_FILESYSTEMS.has(statfsSync(shared).type) ? join(homedir(), ".cache") : shared;
  const folder = join(base, "parley-bench");
  mkdirSync(folder, { recursive: true });
  return folder;
}

export function describeHost(): string {
  const [one = 0, five = 0] = loadavg();
  return `${cpus().length} × ${cpus()[0]?.model.trim() ?? "?"}, node ${process.versions.node}, load ${one.toFixed(2)} (1 min) ${five.toFixed(2)} (5 min)`;
}

/** What one sync of one page takes on the disk of the data directories, without anything else: the median in milliseconds. */
export function measureSync(): number {
  const path = join(scratchFolder(), `sync-${process.pid}`);
  const file = openSync(path, "w");
  const page = Buffer.alloc(4096);
  const times = Array.from({ length: 100 }, () => {
    writeSync(file, page);
    const startMs = performance.now();
    fdatasyncSync(file);
    return performance.now() - startMs;
  });
  closeSync(file);
  rmSync(path);
  return median(times);
}

/** What a process holds and has used. Undefined where the system has no /proc. */
export interface ProcessState {
  readonly rssBytes: number;
  readonly cpuSeconds: number;
  /** What it caused to be written to the disk. */
  readonly writtenBytes: number;
}

export function readProcess(pid: number): ProcessState | undefined {
  try {
    const file = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
    // The name in the second field may hold anything; what is counted comes after its closing bracket.
    const fields = file("stat").split(") ").at(-1)?.split(" ") ?? [];
    return {
      rssBytes: numberIn(file("status"), /^VmRSS:\s+(\d+)/m) * 1024,
      // In ticks of 10 ms on every Linux that Node runs on.
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
      writtenBytes: numberIn(file("io"), /^write_bytes: (\d+)/m),
    };
  } catch {
    return undefined;
  }
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1]);
}
