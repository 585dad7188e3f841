import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SandboxWrap } from "../../src/tool/process/process.ts";
import { createSandbox } from "../../src/tool/sandbox/sandbox.ts";
import { PROTECTED_NAMES } from "../../src/workspace/protected-names.ts";
import { ms, type Row, skipped } from "../row.ts";
import { median, quantile } from "../sample.ts";
import type { Figure } from "./figure.ts";

const FIGURE = "run a command in the sandbox";
const ROUNDS = 40;
const WARM_UP = 3;

/** What the sandbox costs a command that does nothing: the same with and without it, in turn. */
export const sandbox: Figure = async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "parley-bench-sandbox-")));
  const [dataDir, workspace] = [join(root, "data"), join(root, "project")];
  for (const folder of [dataDir, workspace]) mkdirSync(folder);
  const path = process.env["PATH"] ?? "";
  const walls = createSandbox({
    mode: "auto",
    hosts: [],
    path,
    dataDir,
    secretFiles: [],
    protectedNames: PROTECTED_NAMES,
  });
  const place = { workspace, sessionId: "ses_bench", env: { PATH: path } };
  try {
    const { isActive, reason } = await walls.state();
    if (!isActive) return [skipped(FIGURE, "-", reason)];
    const plain: SandboxWrap = (argv) => Promise.resolve({ argv, env: place.env, cleanup: () => undefined });
    const sandboxed: number[] = [];
    const bare: number[] = [];
    for (let i = -WARM_UP; i < ROUNDS; i++) {
      const [inside, outside] = [await time(walls.wrap, place), await time(plain, place)];
      if (i < 0) continue;
      sandboxed.push(inside);
      bare.push(outside);
    }
    return [rowOf(sandboxed, bare)];
  } finally {
    await walls.close();
    rmSync(root, { recursive: true });
  }
};

function rowOf(sandboxed: readonly number[], bare: readonly number[]): Row {
  const [own, other] = [median(sandboxed), median(bare)];
  return {
    figure: FIGURE,
    measured: ms(own),
    beside: ms(other),
    compared: `+${ms(own - other)}`,
    target: "-",
    verdict: "ok",
    note: `beside it: the same command as it is; \`bash -c true\`, from the call to its end; p99 ${ms(quantile(sandboxed, 0.99))}`,
    values: { sandboxed_ms: own, plain_ms: other },
  };
}

/** From the call to the end of the command. */
async function time(wrap: SandboxWrap, place: Parameters<SandboxWrap>[1]): Promise<number> {
  const startMs = performance.now();
  const { argv, env, cleanup } = await wrap(["/bin/bash", "-c", "true"], place);
  const [program, ...args] = argv;
  const child = spawn(program, args, { env, cwd: place.workspace, stdio: "ignore", detached: true });
  await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  await cleanup();
  return performance.now() - startMs;
}
