import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { DomainError } from "../../src/errors.ts";
import { createPathGuard } from "../../src/workspace/path-guard.ts";
import { UNKEPT } from "../../src/workspace/file-change.ts";
import { writeSafely } from "../../src/workspace/safe-write.ts";
import { atLeast, control, type Figure, none } from "./figure.ts";

/** One way to write a file of a workspace; throws where it refuses. */
type Write = (workspace: string, given: string, text: string) => Promise<void>;

interface Outcome {
  readonly written: number;
  readonly refused: number;
  /** Writes that arrived outside of the workspace. */
  readonly escaped: number;
}

/** What the writers write; a folder on the way and the file itself are swapped for links that lead out while they do. */
const PLACES = ["folder/file.txt", "target.txt", "folder/new/file.txt"] as const;

/** The attacker: swaps a folder and a file of the workspace with links that lead out, as fast as the system lets it. */
const ATTACK = `
const { renameSync, symlinkSync, unlinkSync } = require("node:fs");
const { parentPort, workerData: { workspace, outside, stop } } = require("node:worker_threads");
const stopped = new Int32Array(stop);
let thrownAway = 0;
// A writer comes between any two steps; what fails then is done again in the next round.
const attempt = (step) => { try { step(); return true; } catch { return false; } };
const clear = (path) => attempt(() => unlinkSync(path)) || attempt(() => renameSync(path, workspace + "/old-" + thrownAway++));
const swap = (name) => {
  const [own, aside] = [workspace + "/" + name, workspace + "/aside-" + name];
  attempt(() => renameSync(own, aside)) || clear(own);
  attempt(() => symlinkSync(outside + "/" + name, own));
  attempt(() => renameSync(own, workspace + "/link"));
  attempt(() => renameSync(workspace + "/link", own));
  clear(own);
  attempt(() => renameSync(aside, own));
};
parentPort.postMessage("started");
for (let round = 0; Atomics.load(stopped, 0) === 0; round++) swap(round % 2 === 0 ? "folder" : "target.txt");
`;

/** The symlink race: as many writes as told under an attacker, with the descriptor walk and, as a control, with a check before each write. */
export async function symlinkRace(count: number): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), "parley-race-data-"));
  try {
    const guard = await createPathGuard(dataDir, () => true);
    const walked = await race(count, (workspace, given, text) =>
      writeSafely(guard, workspace, given, { make: () => Buffer.from(text), around: UNKEPT }),
    );
    // Where the attacker has no processor of its own it comes in between more seldom.
    const checked = await race(CONTROL_WRITES, checkThenWrite, true);
    return [
      none(
        "writes outside of the workspace, under links that are swapped",
        walked.escaped,
        walked.written + walked.refused,
      ),
      // Refusing all would be safe as well.
      atLeast("of them written where they belong", walked.written, count / 100, "writes"),
      control("check first, then write", checked.escaped, `of ${checked.written} writes outside`),
    ];
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** A control ends with what it finds. */
const CONTROL_WRITES = 100_000;

async function race(count: number, write: Write, isControl = false): Promise<Outcome> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "parley-race-")));
  const [workspace, outside] = [join(root, "workspace"), join(root, "outside")];
  await mkdir(join(workspace, "folder"), { recursive: true });
  await mkdir(join(outside, "folder"), { recursive: true });
  await writeFile(join(workspace, "target.txt"), "");
  await writeFile(join(outside, "target.txt"), "");
  const attacker = await startAttack(workspace, outside);
  try {
    const counts = { written: 0, refused: 0, escaped: 0 };
    for (let index = 0; index < count; index++) {
      const text = randomBytes(8).toString("hex");
      try {
        await write(workspace, PLACES[index % PLACES.length] ?? PLACES[0], text);
        counts.written++;
      } catch (error) {
        if (!(error instanceof DomainError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
        counts.refused++;
      }
      if (await holds(outside, text)) counts.escaped++;
      if (isControl && counts.escaped > 0) break;
      if (index % 50 === 0) await setImmediate();
    }
    return counts;
  } finally {
    await attacker.stop();
    await rm(root, { recursive: true, force: true });
  }
}

async function startAttack(workspace: string, outside: string) {
  const stop = new SharedArrayBuffer(4);
  const worker = new Worker(ATTACK, { eval: true, workerData: { workspace, outside, stop } });
  const ended = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  await new Promise((resolve) => worker.once("message", resolve));
  return {
    stop: async (): Promise<void> => {
      Atomics.store(new Int32Array(stop), 0, 1);
      await ended;
    },
  };
}

async function holds(folder: string, text: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const found = await readFile(path, "utf8");
    // What was found is counted once.
    if (found === text) return writeFile(path, "").then(() => true);
  }
  return false;
}

/** What the walk replaces: the real path is inside, so the path is written to. */
const checkThenWrite: Write = async (workspace, given, text) => {
  const path = join(workspace, given);
  const above = join(path, "..");
  await mkdir(above, { recursive: true });
  const real = await realpath(above);
  const file = await realpath(path).catch(() => join(real, "new"));
  if (![real, file].every((at) => at === workspace || at.startsWith(workspace + sep)))
    throw new DomainError("denied", "PATH_OUTSIDE", "outside");
  await writeFile(path, text);
};
