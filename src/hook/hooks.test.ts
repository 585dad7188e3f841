import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createScrub } from "../audit/scrub.ts";
import { createFakeClock, type FakeClock } from "../../test/helpers/fake-clock.ts";
import { createFiles } from "../workspace/files.ts";
import { createPathGuard } from "../workspace/path-guard.ts";
import { readEngineHooks } from "./engine-hooks.ts";
import { type AskedCall, createHooks, type HookFailure, type Hooks } from "./hooks.ts";
import { readWorkspaceHooks } from "./workspace-hooks.ts";

const ENV = { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" };
const CALL: AskedCall = {
  sessionId: "ses_1",
  turnId: "turn_1",
  callId: "call_1",
  workspace: "",
  tool: "shell",
  arguments: { command: "rm -rf build" },
  risk: { level: "destructive", reason: "rm removes files" },
  verdict: "ask",
  reason: "rm removes files",
};
const TOLD = { ...CALL, outcome: "succeeded", durationMs: 12, result: "the result" };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const makeFolder = (): string => realpathSync(mkdtempSync(join(tmpdir(), "parley-hook-")));

/** A program of its own that bash runs. */
function program(script: string, folder = makeFolder(), name = "hook"): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/usr/bin/env bash\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

interface World {
  readonly hooks: Hooks;
  /** Stands still: who answers may take as long as this machine does. */
  readonly clock: FakeClock;
  readonly failures: HookFailure[];
  readonly failed: () => Promise<void>;
}

/** Hooks as an engine has them, from a file that names them. */
function setUp(file: object, secrets: Readonly<Record<string, string>> = {}, trusted: readonly string[] = []): World {
  const path = join(makeFolder(), "hooks.json");
  writeFileSync(path, JSON.stringify(file));
  const failures: HookFailure[] = [];
  let ring: (() => void) | undefined;
  const clock = createFakeClock();
  const hooks = createHooks({
    engineHooks: readEngineHooks({ file: path, before: [], after: [], env: secrets }, ENV),
    workspaceHooks: async (workspace) => {
      const files = createFiles(await createPathGuard(makeFolder(), () => true));
      return readWorkspaceHooks({ files, isTrusted: async (one) => trusted.includes(one), env: ENV }, workspace);
    },
    clock,
    scrub: createScrub(Object.values(secrets)),
    owner: `test-${path}`,
    onFailure: (failure) => {
      failures.push(failure);
      ring?.();
    },
    onBug: (what, error) => failures.push({ hook: what as never, call: CALL, problem: String(error) }),
  });
  closers.push(() => hooks.close());
  return { hooks, clock, failures, failed: () => new Promise((resolve) => (ring = resolve)) };
}

const before = (script: string, more: object = {}) => setUp({ before: [{ command: [program(script)], ...more }] });

const ask = (hooks: Hooks, call: Partial<AskedCall> = {}, signal = new AbortController().signal) =>
  hooks.ask({ ...CALL, ...call }, signal);

/** A real server, whose answers are made by hand. */
async function serve(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => handle(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Whether a process of this number lives. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is dead, and waits for its parent.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { interval: 5 }).toBe(true);
}

/** The number that a program has written down. */
async function pidIn(file: string): Promise<number> {
  await until(() => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
  return Number(readFileSync(file, "utf8"));
}

/** A hook that always says the same. */
const say = (decision: string) => ({ name: decision, command: [program(`echo '{"decision":"${decision}"}'`)] });

/** A folder with hooks of its own. */
function workspace(file: unknown, script = `echo '{"decision":"deny"}'`): string {
  const folder = makeFolder();
  mkdirSync(join(folder, ".parley"));
  program(script, join(folder, ".parley"), "policy");
  writeFileSync(join(folder, ".parley", "hooks.json"), typeof file === "string" ? file : JSON.stringify(file));
  return folder;
}

/** What comes of a file that the configuration names. */
const readConfigured = (file: unknown): unknown => {
  const path = join(makeFolder(), "hooks.json");
  writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file));
  return readEngineHooks({ file: path, before: [], after: [], env: {} }, ENV);
};

describe("a program that is asked", () => {
  test.each([
    [
      "allow",
      `echo '{"decision":"allow","reason":"fine"}'`,
      { decision: "allow", reason: "the hook hook allows it: fine" },
    ],
    [
      "deny",
      `echo '{"decision":"deny","reason":"no way"}'`,
      { decision: "deny", reason: "the hook hook denies it: no way" },
    ],
    ["ask", `echo '{"decision":"ask"}'`, { decision: "ask", reason: "the hook hook wants it asked about" }],
    ["none", `echo '{"decision":"none"}'`, { decision: "none" }],
    [
      "code 2",
      `echo "not on a Friday" >&2; exit 2`,
      { decision: "deny", reason: "the hook hook denies it: not on a Friday" },
    ],
    ["code 2 whatever it prints", `echo '{"decision":"allow"}'; exit 2`, { decision: "deny" }],
    ["nothing at all", "true", { decision: "none" }],
    ["blank lines", "echo; echo", { decision: "none" }],
    ["more fields than are known", `echo '{"decision":"deny","reason":"x","later":1}'`, { decision: "deny" }],
  ])("may answer: %s", async (_name, script, expected) => {
    const { hooks, failures } = before(script);
    expect(await ask(hooks)).toMatchObject(expected);
    expect(failures).toEqual([]);
  });

  test.each([
    ["that ends with another code", "exit 1", "it ended with code 1"],
    ["that is killed", "kill -KILL $$", "it was ended by SIGKILL"],
    ["that prints no JSON", "echo sure", "it answered something that is no JSON"],
    ["that prints a list", "echo '[]'", "it answered no JSON object"],
    ["that decides something else", `echo '{"decision":"yes"}'`, "is not one of deny, ask, allow, none"],
    ["whose reason is none", `echo '{"decision":"deny","reason":7}'`, "reason is no string"],
    ["that prints two answers", `echo '{"decision":"allow"}{"decision":"allow"}'`, "no JSON"],
    ["that prints too much", "head -c 10000000 /dev/zero", "it printed more than 65536 bytes"],
    ["that prints for ever", "yes", "it printed more than 65536 bytes"],
  ])("and fails, one %s, asks", async (_name, script, problem) => {
    const { hooks, failures } = before(script);
    const ruling = await ask(hooks, { verdict: "allow" });
    expect(ruling).toMatchObject({
      decision: "ask",
      reason: expect.stringContaining("the hook hook could not be asked") as unknown,
    });
    expect(ruling?.reason).toContain(problem);
    expect(failures).toMatchObject([{ hook: { name: "hook" }, problem: expect.stringContaining(problem) as unknown }]);
  });

  test("that there is not asks", async () => {
    const gone = program("exit 0");
    for (const command of [[gone], ["no-such-program-anywhere"], [makeFolder()]]) {
      const { hooks } = setUp({ before: [{ command }] });
      rmSync(gone, { force: true });
      expect((await ask(hooks))?.reason).toMatch(/it cannot be started \((ENOENT|EACCES)\)/);
    }
  });

  test("that hangs is ended after its time with all that it started, and asks", async () => {
    const pids = join(makeFolder(), "pids");
    const { hooks, clock } = before(
      `trap '' TERM; (setsid sleep 300 & echo $! >> ${pids}); sleep 300 & echo $! >> ${pids}; echo $$ >> ${pids}; sleep 300`,
      { timeoutMs: 500 },
    );
    const asked = ask(hooks);
    const written = (): string[] => (existsSync(pids) ? readFileSync(pids, "utf8").split("\n") : []);
    await until(() => written().length > 3);
    await clock.advance(500);
    expect((await asked)?.reason).toContain("it did not answer within 0.5 s");
    const started = written().slice(0, 3).map(Number);
    expect(started.filter(lives)).toEqual([]);
  });

  test("that answers and leaves something behind is believed, and what it left is ended", async () => {
    const pid = join(makeFolder(), "pid");
    const { hooks } = before(`sleep 300 & echo $! > ${pid}; echo '{"decision":"deny"}'`);
    expect(await ask(hooks)).toMatchObject({ decision: "deny" });
    expect(lives(Number(readFileSync(pid, "utf8")))).toBe(false);
  });

  test("is ended when the turn is cancelled, and the caller is told why", async () => {
    const pid = join(makeFolder(), "pid");
    const { hooks, failures } = before(`echo $$ > ${pid}; sleep 300`);
    const turn = new AbortController();
    const asked = ask(hooks, {}, turn.signal);
    const started = await pidIn(pid);
    turn.abort(new Error("cancelled"));
    await expect(asked).rejects.toThrow("cancelled");
    expect(lives(started)).toBe(false);
    expect(failures).toEqual([]);
  });

  test("gets the call as one document, also a large one that it does not read", async () => {
    const got = join(makeFolder(), "got");
    const { hooks } = before(`cat > ${got}; echo '{"decision":"none"}'`);
    await ask(hooks, { workspace: "/work", arguments: { command: "naïve 😀 \u2028 \0" } });
    expect(JSON.parse(readFileSync(got, "utf8"))).toEqual({
      hook: "before",
      session_id: "ses_1",
      turn_id: "turn_1",
      call_id: "call_1",
      workspace: "/work",
      tool: "shell",
      arguments: { command: "naïve 😀 \u2028 \0" },
      risk: "destructive",
      risk_reason: "rm removes files",
      verdict: "ask",
      reason: "rm removes files",
    });
    const deaf = before(`exec 0<&-; echo '{"decision":"allow"}'`);
    expect(await ask(deaf.hooks, { arguments: { text: "x".repeat(4e6) } })).toMatchObject({ decision: "allow" });
  });

  test("finds what is listed in its environment, and nothing else of the engine's", async () => {
    const got = join(makeFolder(), "got");
    const { hooks } = setUp(
      { before: [{ command: [program(`env > ${got}; pwd >> ${got}; echo '{"decision":"none"}'`)] }] },
      { KEY: "k" },
    );
    await ask(hooks);
    const lines = readFileSync(got, "utf8").trim().split("\n");
    const names = lines
      .map((line) => line.split("=")[0]!)
      .filter((name) => !["SHLVL", "_", "PWD", "OLDPWD"].includes(name));
    expect(names.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(["/", "KEY", "LANG", "PARLEY_CALL", "PATH"]);
  });

  test("says nothing of what it is given to keep to itself, in whichever way it answers", async () => {
    const key = `key-${"k".repeat(400)}"\n1`;
    const scripts = ['echo "no: $KEY" >&2; exit 2', `printf '{"decision":"ask","reason":%s}' "$JSON"`];
    for (const script of scripts) {
      const { hooks } = setUp({ before: [{ command: [program(script)] }] }, { KEY: key, JSON: JSON.stringify(key) });
      expect((await ask(hooks))?.reason).toMatch(/(no: )?\[redacted\]$/);
    }
    const { hooks } = setUp({ before: [{ command: [program(`echo "$PATH $KEY" >&2; exit 2`)] }] }, { KEY: "shorter" });
    expect((await ask(hooks))?.reason).toContain("shorter");
  });

  test("is started without a shell: what its arguments say is theirs alone", async () => {
    const got = join(makeFolder(), "got");
    const words = ["$(touch /tmp/no)", "a b", ";", "*"];
    const { hooks } = setUp({
      before: [{ command: [program(`printf '%s\\n' "$@" > ${got}; echo '{"decision":"none"}'`), ...words] }],
    });
    await ask(hooks);
    expect(readFileSync(got, "utf8").trim().split("\n")).toEqual(words);
  });

  test("has its reason shown on one line, without what a terminal obeys, and cut", async () => {
    const { hooks } = before(
      `printf '{"decision":"deny","reason":"a\\\\n\\\\u001b[31mb%s"}' "$(head -c 2000 /dev/zero | tr '\\0' x)"`,
    );
    const { reason } = (await ask(hooks))!;
    expect(reason).toMatch(/^the hook hook denies it: a \[31mbx+…$/);
    expect(reason.length).toBeLessThan(600);
  });
});

describe("a URL that is asked", () => {
  test("gets the same document, and its answer counts", async () => {
    const seen: [string | undefined, string | undefined, unknown][] = [];
    const url = await serve((request, response, body) => {
      const { hook, tool } = JSON.parse(body) as Record<string, unknown>;
      seen.push([request.headers["content-type"], request.headers.authorization, { hook, tool }]);
      response.end('{"decision":"deny","reason":"by policy"}');
    });
    const headers = { authorization: "env:POLICY" };
    const { hooks } = setUp({ before: [{ url: `${url}/policy?x=1`, headers }] }, { POLICY: "Bearer secret" });
    const { host } = new URL(url);
    expect(await ask(hooks)).toMatchObject({
      decision: "deny",
      reason: `the hook ${host}/policy denies it: by policy`,
    });
    expect(seen).toEqual([["application/json", "Bearer secret", { hook: "before", tool: "shell" }]]);
  });

  test.each([
    ["answers with an error", 500, '{"decision":"allow"}', "HTTP status 500"],
    ["answers nothing", 204, "", "HTTP status 204"],
    ["answers garbage", 200, "<html>", "no JSON"],
    ["answers too much", 200, " ".repeat(70_000), "more than 65536 bytes"],
  ])("and %s asks", async (_name, status, body, problem) => {
    const url = await serve((_request, response) => void response.writeHead(status).end(body));
    const { hooks } = setUp({ before: [{ url }] });
    const ruling = await ask(hooks, { verdict: "allow" });
    expect(ruling).toMatchObject({ decision: "ask", reason: expect.stringContaining(problem) as unknown });
  });

  test("is not followed to where it redirects", async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    expect((await ask(setUp({ before: [{ url }] }).hooks))?.reason).toContain("HTTP status 307");
    expect(asked).toEqual(["/"]);
  });

  test("that nobody serves, that hangs, and that sends for ever asks", async () => {
    const refused = setUp({ before: [{ url: "http://127.0.0.1:1/" }] });
    expect((await ask(refused.hooks))?.reason).toContain("it cannot be reached");
    let writes = 0;
    const trickle = (_request: IncomingMessage, response: ServerResponse): void => {
      const timer = setInterval(() => response.write(" ", () => writes++), 20);
      response.on("close", () => clearInterval(timer));
    };
    for (const [handle, least] of [[() => void writes++, 1] as const, [trickle, 3] as const]) {
      writes = 0;
      const { hooks, clock } = setUp({ before: [{ url: await serve(handle), timeoutMs: 100 }] });
      const asked = ask(hooks);
      await until(() => writes >= least);
      await clock.advance(100);
      expect((await asked)?.reason).toContain("it did not answer within 0.1 s");
    }
  });
});

describe("several hooks", () => {
  test.each([
    [["allow", "deny"], "deny"],
    [["allow", "ask", "none"], "ask"],
    [["none", "allow"], "allow"],
    [["ask", "deny", "allow"], "deny"],
    [["none", "none"], "none"],
  ])("%j come to %s: the strictest wins", async (decisions, expected) => {
    const { hooks } = setUp({ before: decisions.map(say) });
    expect(await ask(hooks)).toMatchObject({ decision: expected, hook: expected });
  });

  test("one that fails beside one that allows asks", async () => {
    const { hooks } = setUp({ before: [say("allow"), { command: [program("exit 1")] }] });
    expect(await ask(hooks)).toMatchObject({ decision: "ask" });
  });

  test("are asked of their tools alone, and where none is, nobody is", async () => {
    const { hooks } = setUp({ before: [{ ...say("deny"), tools: ["write_*", "shell"] }], after: [say("deny")] });
    expect(await ask(hooks, { tool: "write_file" })).toMatchObject({ decision: "deny" });
    expect(await ask(hooks, { tool: "read_file" })).toBeUndefined();
    expect((await hooks.list("before", { tool: "shell", workspace: "" })).map(({ name }) => name)).toEqual(["deny"]);
  });

  test("at once do not start more than a few processes", async () => {
    const folder = makeFolder();
    const script = `touch ${folder}/$$; ls ${folder} | wc -l >> ${folder}.counts; sleep 0.05; rm ${folder}/$$; echo '{"decision":"none"}'`;
    const { hooks } = before(script);
    await Promise.all(Array.from({ length: 40 }, () => ask(hooks)));
    const counts = readFileSync(`${folder}.counts`, "utf8").trim().split("\n").map(Number);
    expect(counts).toHaveLength(40);
    expect(Math.max(...counts)).toBeLessThanOrEqual(8);
  });
});

describe("a hook that is told", () => {
  test("gets the end of the call, and what it came to only where it wants that", async () => {
    const folder = makeFolder();
    const tell = (name: string, more: object) => ({
      command: [program(`cat > ${folder}/${name}.partial; mv ${folder}/${name}.partial ${folder}/${name}`)],
      ...more,
    });
    const { hooks, failures } = setUp({ after: [tell("plain", {}), tell("whole", { result: true })] });
    hooks.tell(TOLD);
    const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
    await until(() => existsSync(join(folder, "plain")) && existsSync(join(folder, "whole")));
    expect(read("plain")).toMatchObject({ hook: "after", call_id: "call_1", outcome: "succeeded", duration_ms: 12 });
    expect(read("plain")).not.toHaveProperty("result");
    expect(read("whole")).toMatchObject({ result: "the result" });
    expect(failures).toEqual([]);
  });

  test("and fails is told of, and nothing else comes of it", async () => {
    const { hooks, failures, failed } = setUp({ after: [{ command: [program("exit 3")] }] });
    const once = failed();
    hooks.tell(TOLD);
    await once;
    expect(failures).toMatchObject([{ problem: "it ended with code 3" }]);
  });

  test("is ended with the engine", async () => {
    const pid = join(makeFolder(), "pid");
    const { hooks, failures } = setUp({ after: [{ command: [program(`echo $$ > ${pid}; sleep 300`)] }] });
    hooks.tell(TOLD);
    const started = await pidIn(pid);
    await hooks.close();
    expect(lives(started)).toBe(false);
    expect(failures).toEqual([]);
  });
});

describe("a workspace's hooks", () => {
  const own = { before: [{ command: ["./.parley/policy"] }] };

  test("count where a human trusts it, and nowhere else", async () => {
    const folder = workspace(own, `touch ran; echo '{"decision":"deny"}'`);
    expect(await ask(setUp({}).hooks, { workspace: folder })).toBeUndefined();
    expect(existsSync(join(folder, "ran"))).toBe(false);
    expect(await ask(setUp({}, {}, [folder]).hooks, { workspace: folder })).toMatchObject({ decision: "deny" });
    expect(existsSync(join(folder, "ran"))).toBe(true);
  });

  test("can never allow", async () => {
    const folder = workspace(own, `echo '{"decision":"allow"}'`);
    expect(await ask(setUp({}, {}, [folder]).hooks, { workspace: folder })).toMatchObject({ decision: "none" });
  });

  test("that cannot be used ask, and say why", async () => {
    const problems: [unknown, RegExp][] = [
      ["not json", /it is no JSON/],
      [{ before: {} }, /before: must be a list/],
      [{ before: [{}] }, /before\[0\]: set either command or url/],
      [{ befor: [] }, /befor: is not known/],
      [{ before: [{ command: ["./scripts/policy"] }] }, /is a file that agents may write/],
      [{ before: [{ command: ["bash", "scripts/policy"] }] }, /is a file that agents may write/],
      [{ before: [{ url: "https://example.com", headers: { a: "env:KEY" } }] }, /there is no KEY/],
    ];
    for (const [file, problem] of problems) {
      const folder = workspace(file);
      mkdirSync(join(folder, "scripts"));
      program("exit 0", join(folder, "scripts"), "policy");
      const ruling = await ask(setUp({}, { KEY: "k" }, [folder]).hooks, { workspace: folder, verdict: "allow" });
      expect(ruling).toMatchObject({ decision: "ask", reason: expect.stringMatching(problem) as unknown });
    }
  });
});

describe("what is wrong in the configuration is named:", () => {
  test.each([
    ["not json", /hooks\.json: it is no JSON/],
    [[], /hooks\.json: must be an object/],
    [{ before: [{ command: "ls" }] }, /before\[0\]\.command: must be a list/],
    [{ before: [{ command: [] }] }, /before\[0\]\.command: must name a program/],
    [{ before: [{ command: ["a\0b"] }] }, /before\[0\]\.command: must name a program/],
    [{ after: [{ command: ["a"], url: "http://x" }] }, /after\[0\]: set either command or url/],
    [{ before: [{ command: ["/nowhere/policy"] }] }, /\/nowhere\/policy cannot be run \(ENOENT\)/],
    [{ before: [{ url: "file:///etc/passwd" }] }, /before\[0\]\.url: must begin with http/],
    [{ before: [{ url: "http://user:password@x/" }] }, /hold no password/],
    [{ before: [{ command: ["a"], timeoutMs: 0 }] }, /timeoutMs: must be a whole number from 1 to 60000/],
    [{ before: [{ command: ["a"], tools: ["a b"] }] }, /tools\[0\]: must match/],
    [{ before: [{ command: ["a"], headers: {} }] }, /headers: only a url takes them/],
    [{ before: Array.from({ length: 17 }, () => ({ command: ["a"] })) }, /before\[16\]: there are at most 16/],
  ])("%j", (file, problem) => {
    expect(() => readConfigured(file)).toThrow(
      expect.objectContaining({ reason: "INVALID_CONFIG", message: expect.stringMatching(problem) as unknown }),
    );
  });

  test("a file that cannot be read, and a flag that is no array", () => {
    const none = { file: undefined, before: [], after: [], env: {} };
    expect(() => readEngineHooks({ ...none, file: "/nowhere/hooks.json" }, ENV)).toThrow("it cannot be read (ENOENT)");
    expect(() => readEngineHooks({ ...none, before: ["[oops"] }, ENV)).toThrow("--hook-before: [oops is no JSON array");
    expect(() => readEngineHooks({ ...none, before: ["ftp://x"] }, ENV)).toThrow("must begin with http:// or https://");
    const [hook] = readEngineHooks({ ...none, after: ['["/bin/true", "-x"]'] }, ENV);
    expect(hook).toMatchObject({ name: "true", time: "after", timeoutMs: 5000, target: { argv: ["/bin/true", "-x"] } });
  });
});
