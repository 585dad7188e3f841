import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const LAUNCHER = join(import.meta.dirname, "../../bin/parley");

/** An engine in a process of its own, as `parley serve` starts it. */
export interface DemoEngine {
  readonly url: string;
  readonly token: string;
  /** kill -9, then the same engine again, on the same port. */
  killAndStartAgain(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEngine(dataDir: string): Promise<DemoEngine> {
  let child = spawnEngine(dataDir, "0");
  const url = await whenReady(child);
  return {
    url,
    token: readFileSync(join(dataDir, "token"), "utf8").trim(),
    async killAndStartAgain() {
      await end(child, "SIGKILL");
      child = spawnEngine(dataDir, new URL(url).port);
      await whenReady(child);
    },
    stop: () => end(child, "SIGTERM"),
  };
}

/** No setting of whoever plays the tour reaches it: it needs no key, and its engine is nobody else's. */
function spawnEngine(dataDir: string, port: string): ChildProcess {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:PARLEY|OPENAI)_/.test(name)));
  const args = ["serve", "--data-dir", dataDir, "--port", port];
  return spawn(LAUNCHER, args, { env: { ...env, PARLEY_LOG_LEVEL: "error" }, stdio: ["ignore", "pipe", "inherit"] });
}

function whenReady(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the engine ended with ${code} before it was ready`)));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const url = /^READY (\S+)/m.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}
