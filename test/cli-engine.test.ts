import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  mkdirSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { parley, startParley, inTerminal, type Ended } from "./cli-process.ts";
import { makeTempDir, startEngineProcess } from "./helpers/engine-process.ts";

const dirs: string[] = [];
afterEach(async () => {
  for (const dir of dirs.splice(0)) await parley(["down", "--force", "--data-dir", dir]);
});

function makeDataDir(): string {
  const dir = join(makeTempDir("cli"), "data");
  dirs.push(dir);
  return dir;
}

const on = (dataDir: string, ...args: readonly string[]): Promise<Ended> => parley([...args, "--data-dir", dataDir]);

interface EngineJson {
  readonly url: string;
  readonly pid: number;
}

function engineJson(dataDir: string): EngineJson {
  return JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")) as EngineJson;
}

describe("up and down", () => {
  test("start an engine once, say where it is, and stop it", async () => {
    const dataDir = makeDataDir();
    const first = await on(dataDir, "up", "--port", "0");
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toBe(`${engineJson(dataDir).url}\n`);
    expect(first.stderr).toMatch(/^parley: started as process \d+; it logs to .*engine\.log\n$/);
    const again = await on(dataDir, "up", "--json");
    expect(JSON.parse(again.stdout)).toEqual({ ...engineOf(dataDir), started: false });
    expect((await on(dataDir, "status")).code).toBe(0);
    const { pid } = engineJson(dataDir);
    expect(await on(dataDir, "down")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: `parley: stopped process ${pid}\n`,
    });
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(join(dataDir, "engine.json"))).toBe(false);
    expect(await on(dataDir, "down")).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/no engine is running/) as string,
    });
  });

  test("two at once start one engine, and both say where it is", async () => {
    const dataDir = makeDataDir();
    const both = await Promise.all([on(dataDir, "up", "--port", "0"), on(dataDir, "up", "--port", "0")]);
    const { url } = engineJson(dataDir);
    expect(both.map(({ code, stdout }) => [code, stdout])).toEqual([
      [0, `${url}\n`],
      [0, `${url}\n`],
    ]);
  });

  test("options reach the engine: a socket, several addresses, names that begin with a dash", async () => {
    const dataDir = makeDataDir();
    const path = join(makeTempDir("socket"), "-engine.sock");
    const { stdout } = await on(
      dataDir,
      "up",
      "--listen",
      `unix:${path}`,
      "--listen",
      "tcp:127.0.0.1:0",
      "--log-level",
      "debug",
    );
    expect(stdout).toBe(`unix:${path}\n`);
    expect(statSync(path).isSocket()).toBe(true);
  });

  test("a start that fails says why, in one line, and leaves nothing running", async () => {
    const dataDir = makeDataDir();
    const other = await startEngineProcess();
    const { code, stdout, stderr } = await on(dataDir, "up", "--port", String(other.port));
    await other.kill();
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^parley: 127\.0\.0\.1:\d+ is in use; .*\n$/);
    const wrong = await on(dataDir, "up", "--port", "many");
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/--port is many/) as string });
  });

  test("down stops no process that has only the number of an engine that was killed", async () => {
    const dataDir = makeDataDir();
    await on(dataDir, "up", "--port", "0");
    const { pid } = engineJson(dataDir);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isAlive(pid)).toBe(false);
    // As if the number had been given to another process: this one.
    const file = join(dataDir, "engine.json");
    writeFileSync(file, JSON.stringify({ ...engineJson(dataDir), pid: process.pid }));
    expect(await on(dataDir, "down")).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/no engine is running/) as string,
    });
  });

  test("down waits for a stop that takes its time, and kills one that does not come with --force only", async () => {
    const dataDir = makeDataDir();
    await on(dataDir, "up", "--port", "0");
    const { pid } = engineJson(dataDir);
    process.kill(pid, "SIGSTOP");
    const refused = await on(dataDir, "down", "--wait", "1");
    expect(refused).toMatchObject({
      code: 1,
      stderr: `parley: process ${pid} has not stopped in 1 s; --force kills it\n`,
    });
    const killed = await on(dataDir, "down", "--wait", "1", "--force");
    expect(killed).toMatchObject({ code: 0, stderr: `parley: killed process ${pid}\n` });
  });
});

describe("logs", () => {
  test("that have no room are dropped; the engine serves and stops all the same", async () => {
    const full = openSync("/dev/full", "w");
    const engine = await startEngineProcess({ stderr: full, args: ["--log-level", "debug"] });
    const { code, stdout } = await parley([
      "run",
      "--profile",
      "demo",
      "echo: still here",
      "--data-dir",
      engine.dataDir,
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("still here") as string });
    expect(await engine.stop()).toEqual({ code: 0, signal: null });
    closeSync(full);
  });

  test("prints the last lines, into pipes as they are, on a terminal to be read", async () => {
    const dataDir = makeDataDir();
    mkdirSync(dataDir, { recursive: true });
    const lines = Array.from({ length: 30_000 }, (_, i) => `{"level":30,"time":${i},"msg":"line ${i} 世界"}`);
    writeFileSync(join(dataDir, "engine.log"), `${lines.join("\n")}\nhalf a li`);
    expect((await on(dataDir, "logs", "--lines", "3")).stdout).toBe(`${lines.slice(-2).join("\n")}\nhalf a li`);
    expect((await on(dataDir, "logs", "--lines", "0")).stdout).toBe("");
    expect((await on(dataDir, "logs", "--lines", "20000")).stdout).toBe(
      `${lines.slice(-19_999).join("\n")}\nhalf a li`,
    );
    const { seen } = await inTerminal(["logs", "--lines", "2", "--data-dir", dataDir], []);
    expect(seen).toMatch(/^\d\d:\d\d:\d\d info {2}line 29999 世界\nhalf a li\n$/);
  });

  test("follows an engine over its end into the next one's file", async () => {
    const dataDir = makeDataDir();
    await on(dataDir, "up", "--port", "0");
    const following = startParley(["logs", "-f", "--data-dir", dataDir]);
    await following.sees('"msg":"serving"');
    await on(dataDir, "down");
    writeFileSync(join(dataDir, "engine.log"), Buffer.alloc(11 * 1024 * 1024, "x\n"));
    await on(dataDir, "up", "--port", "0");
    const { pid } = engineJson(dataDir);
    await following.sees(`"pid":${pid}`);
    following.child.kill("SIGINT");
    expect((await following.ended).code).toBe(130);
    expect(
      readdirSync(dataDir)
        .filter((name) => name.startsWith("engine.log"))
        .sort(),
    ).toEqual(["engine.log", "engine.log.1"]);
    expect(statSync(join(dataDir, "engine.log")).mode & 0o777).toBe(0o600);
  });

  test("without a log says where one comes from", async () => {
    const dataDir = makeTempDir("cli");
    expect(await on(dataDir, "logs")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/parley up.*writes one/) as string,
    });
  });
});

describe("backup and restore", () => {
  test("of a running and of a stopped engine bring everything back", async () => {
    const dataDir = makeDataDir();
    await on(dataDir, "up", "--port", "0");
    await on(dataDir, "run", "--profile", "demo", "echo: kept");
    const running = (await on(dataDir, "backup")).stdout.trim();
    expect(running.startsWith(join(dataDir, "backups"))).toBe(true);
    const outside = join(makeTempDir("backups"), "here");
    const moved = (await on(dataDir, "backup", "--output", outside)).stdout.trim();
    expect(readdirSync(outside)).toEqual([moved.split("/").at(-1)]);
    expect(await on(dataDir, "restore", moved)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/uses the data directory/) as string,
    });
    await on(dataDir, "run", "--profile", "demo", "echo: lost");
    await on(dataDir, "down");
    const stopped = (await on(dataDir, "backup", "--json", "--output", outside)).stdout;
    expect(JSON.parse(stopped)).toMatchObject({ path: expect.stringMatching(/here\/\d{8}T/) as string });
    for (const [from, count] of [
      [moved, 1],
      [(JSON.parse(stopped) as { path: string }).path, 2],
    ] as const) {
      const { code, stdout } = await on(dataDir, "restore", from);
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /restored .* to 20.*\nwhat was there before is in .*before-restore-.*\nthe logs have a new identity.*\ntokens are as they were then/,
      );
      expect((await on(dataDir, "doctor")).code).toBe(0);
      await on(dataDir, "up", "--port", "0");
      expect((await on(dataDir, "sessions", "list")).stdout.trim().split("\n")).toHaveLength(count);
      await on(dataDir, "down");
    }
  });

  test("a folder that is no backup is refused in one line", async () => {
    const dataDir = makeDataDir();
    const refused = await on(dataDir, "restore", makeTempDir("empty"));
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^parley: .* is no backup.*\n$/);
  });
});

describe("doctor", () => {
  test("finds a healthy data directory well, beside its engine and without it", async () => {
    const dataDir = makeDataDir();
    await on(dataDir, "up", "--port", "0");
    await on(dataDir, "run", "--profile", "demo", "what time is it in Tokyo?");
    for (const stop of [async () => undefined, () => on(dataDir, "down")]) {
      await stop();
      const { code, stdout } = await on(dataDir, "doctor", "--json");
      const { ok, findings } = JSON.parse(stdout) as {
        ok: boolean;
        findings: { name: string; state: string; detail: string }[];
      };
      expect(findings.filter(({ state }) => state === "failed")).toEqual([]);
      expect({ code, ok }).toEqual({ code: 0, ok: true });
      expect(findings.map(({ name }) => name)).toEqual(
        expect.arrayContaining([
          "data directory",
          "token",
          "engine",
          "disk",
          "backups",
          "store",
          "integrity",
          "logs",
          "messages",
        ]),
      );
    }
  });

  test("ends with 1 where something is broken, and says what to do", async () => {
    const dataDir = makeTempDir("harmed");
    writeFileSync(join(dataDir, "token"), "0123456789abcdef\n", { mode: 0o644 });
    const { code, stdout } = await on(dataDir, "doctor");
    expect(stdout).toMatch(/^FAILED +token .*chmod 600/m);
    expect(code).toBe(1);
  });

  test("says that there is no such folder", async () => {
    expect(await on("/nowhere/at/all", "doctor")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/FAILED .*there is no folder/) as string,
    });
  });
});

function engineOf(dataDir: string): EngineJson {
  const { url, pid } = engineJson(dataDir);
  return { url, pid };
}

/** One that has ended is listed until its parent asks, and not every parent does. */
function isAlive(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : ") Z";
  return !/\) Z/.test(stat);
}
