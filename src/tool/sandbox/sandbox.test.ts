import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { PROTECTED_NAMES } from "../../workspace/protected-names.ts";
import { createSandbox, type Sandbox, type SandboxConfig } from "./sandbox.ts";
import { probeSandbox } from "./sandbox-probe.ts";
import { isSandboxPart } from "./sandbox-runtime.ts";

const PATH = process.env["PATH"] ?? "";
const machine = await probeSandbox({ path: PATH, hasNetwork: false });

const root = realpathSync(mkdtempSync(join(tmpdir(), "parley-sandbox-")));
const dataDir = join(root, "data");
const workspace = join(root, "project");
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(workspace, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true });
  mkdirSync(workspace);
  writeFileSync(join(dataDir, "token"), "the token");
});

function make(more: Partial<SandboxConfig> = {}): Sandbox {
  const shipped = {
    mode: "auto",
    hosts: [],
    path: PATH,
    dataDir,
    secretFiles: [],
    protectedNames: PROTECTED_NAMES,
  } as const;
  return createSandbox({ ...shipped, ...more });
}

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a command as a tool would; `sandbox` undefined = as it is. */
async function run(
  sandbox: Sandbox | undefined,
  command: string,
  place: { workspace?: string; sessionId?: string } = {},
): Promise<Run> {
  const where = { workspace, sessionId: "ses_1", ...place };
  const env = { PATH, HOME: process.env["HOME"] ?? "/" };
  const plain = { argv: ["/bin/bash", "-c", command] as [string, ...string[]], env, cleanup: () => undefined };
  const wrapped = sandbox === undefined ? plain : await sandbox.wrap(plain.argv, { ...where, env });
  const [program, ...args] = wrapped.argv;
  const child = spawn(program, args, {
    env: wrapped.env,
    cwd: where.workspace,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  await wrapped.cleanup();
  return { code, output };
}

if (!machine.works) {
  console.warn(
    `its walls are not tried, since commands cannot be put into a sandbox on this machine: ${machine.reason}`,
  );
}

/** On a machine that allows no sandbox, what is promised there is tried instead: nothing runs where one is required. */
function walled<A extends unknown[]>(test: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  if (machine.works) return test;
  const { reason } = machine;
  return () => expect(run(make({ mode: "required" }), "echo plain")).rejects.toThrow(reason);
}

/** A request that goes through a proxy where there is one, also to this machine. */
function fetchIt(host: string): string {
  return `curl -sS --noproxy '' -m 10 http://${host}/`;
}

describe("a sandbox", () => {
  const shared = "/tmp/claude/parley-test";
  beforeEach(() => mkdirSync(shared, { recursive: true }));
  afterEach(() => rmSync(shared, { recursive: true, force: true }));

  /** What a command does to the world, and whether it has come to pass. */
  const attempts: readonly { name: string; command: () => string; happened: (run: Run) => boolean }[] = [
    {
      name: "writes outside of the workspace",
      command: () => `echo x > ${root}/outside`,
      happened: () => existsSync(join(root, "outside")),
    },
    {
      name: "writes where a link out of the workspace leads",
      command: () => `ln -s ${root} out && echo x > out/linked`,
      happened: () => existsSync(join(root, "linked")),
    },
    {
      name: "reads the token in the data directory",
      command: () => `cat ${dataDir}/token`,
      happened: ({ output }) => output.includes("the token"),
    },
    {
      name: "reads the token through a link",
      command: () => `ln -s ${dataDir} d && cat d/token`,
      happened: ({ output }) => output.includes("the token"),
    },
    {
      name: "reads the token through another process's view of the files",
      command: () => `cat /proc/${process.pid}/root${dataDir}/token`,
      happened: ({ output }) => output.includes("the token"),
    },
    {
      name: "reads the environment of the engine",
      command: () => `cat /proc/${process.pid}/environ | tr '\\0' '\\n'`,
      happened: ({ output }) => output.includes("PATH="),
    },
    {
      name: "writes where its maker lets all commands write",
      command: () => `mkdir -p ${shared} && echo x > ${shared}/left`,
      happened: () => existsSync(join(shared, "left")),
    },
    {
      name: "moves the workspace away",
      command: () => `mv ${workspace} ${workspace}-moved && mkdir ${workspace}`,
      happened: () => existsSync(`${workspace}-moved`),
    },
    {
      name: "writes a protected name that does not exist",
      command: () => "echo x > .bashrc",
      happened: () =>
        existsSync(join(workspace, ".bashrc")) && readFileSync(join(workspace, ".bashrc"), "utf8") === "x\n",
    },
    {
      name: "writes into a protected folder that does not exist",
      command: () => "mkdir -p .vscode && echo x > .vscode/tasks.json",
      happened: () => existsSync(join(workspace, ".vscode/tasks.json")),
    },
    {
      name: "puts a file in the place of a hook of a repository",
      command: () => "echo x > .git/hooks/pre-commit",
      happened: () => existsSync(join(workspace, ".git/hooks/pre-commit")),
    },
    {
      name: "puts another repository's folder in the place of its hooks",
      command: () => "mv .git old && mkdir -p .git/hooks && echo x > .git/hooks/pre-commit",
      happened: () => existsSync(join(workspace, ".git/hooks/pre-commit")),
    },
    {
      name: "writes a hook of a repository further down",
      command: () => "echo x > a/b/.git/hooks/pre-commit",
      happened: () => existsSync(join(workspace, "a/b/.git/hooks/pre-commit")),
    },
    {
      name: "makes a device",
      command: () => "mknod null c 1 3 && echo made",
      happened: ({ output }) => output.includes("made"),
    },
    {
      name: "opens a socket to other programs of the machine",
      command: () => `python3 -c 'import socket; socket.socket(socket.AF_UNIX); print("open")'`,
      happened: ({ output }) => output.includes("open\n"),
    },
  ];

  beforeEach(() => {
    for (const folder of [".git/hooks", "a/b/.git/hooks"]) mkdirSync(join(workspace, folder), { recursive: true });
    for (const path of ["outside", "linked"]) rmSync(join(root, path), { force: true });
    rmSync(`${workspace}-moved`, { recursive: true, force: true });
  });

  it(
    "what a session leaves in its temporary folder goes with it, and no other's",
    walled(async () => {
      const sandbox = make();
      await run(sandbox, "echo one > $TMPDIR/one");
      await run(sandbox, "echo two > $TMPDIR/two", { sessionId: "ses_2" });
      await sandbox.forget("ses_1");
      await sandbox.forget("ses_1");
      expect((await run(sandbox, "ls -A $TMPDIR")).output).toBe("");
      expect((await run(sandbox, "ls -A $TMPDIR", { sessionId: "ses_2" })).output).toBe("two\n");
    }),
  );

  it.each(attempts)(
    "does not let a command that $name",
    walled(async ({ command, happened }) => {
      const sandbox = make();
      expect(happened(await run(sandbox, command()))).toBe(false);
      await sandbox.close();
    }),
  );

  it.each(attempts.filter(({ name }) => name !== "makes a device"))(
    "control: without it a command $name",
    async ({ command, happened }) => {
      expect(happened(await run(undefined, command()))).toBe(true);
    },
  );

  it(
    "keeps commands from the network, and from servers on this machine",
    walled(async () => {
      const server = createServer((_request, response) => response.end("served"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const command = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3`;
      const sandbox = make();
      expect((await run(sandbox, command)).output).not.toContain("served");
      expect((await run(undefined, command)).output, "control").toContain("served");
      await sandbox.close();
      await new Promise((resolve) => server.close(resolve));
    }),
  );

  it(
    "lets commands reach the hosts that it was told, and no others",
    walled(async () => {
      const server = createServer((_request, response) => response.end("served"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const sandbox = make({ hosts: [`127.0.0.1:${port}`] });
      expect((await run(sandbox, fetchIt(`127.0.0.1:${port}`))).output).toBe("served");
      expect((await run(sandbox, fetchIt("127.0.0.1:1"))).output).not.toContain("served");
      expect((await run(sandbox, fetchIt("other.test"))).output).toContain("blocked");
      expect((await run(sandbox, `${fetchIt(`127.0.0.1:${port}`)} --noproxy '*'`)).output).not.toContain("served");
      expect((await run(sandbox, "echo $TMPDIR")).output).toContain(join(dataDir, "tmp/ses_1"));
      await sandbox.close();
      await new Promise((resolve) => server.close(resolve));
    }),
  );

  it(
    "shows no process of the machine, and lets none be ended",
    walled(async () => {
      const victim = spawn("/bin/sleep", ["300"], { stdio: "ignore" });
      const ended = new Promise((resolve) => victim.once("exit", resolve));
      const sandbox = make();
      const { output } = await run(
        sandbox,
        `kill -9 ${victim.pid}; ls -d /proc/${victim.pid}; kill -9 -1; echo unharmed`,
      );
      expect(output).toContain("No such process");
      expect(output).not.toContain(`/proc/${victim.pid}\n`);
      expect(victim.exitCode ?? victim.signalCode).toBeNull();
      await run(undefined, `kill -9 ${victim.pid}`);
      await ended;
      expect(victim.signalCode, "control").toBe("SIGKILL");
      await sandbox.close();
    }),
  );

  it(
    "ends what detaches itself with the command",
    walled(async () => {
      const sandbox = make();
      const mark = `300.${process.pid}`;
      const detach = `(setsid sleep ${mark} >/dev/null 2>&1 &); until grep -qszx ${mark} /proc/[0-9]*/cmdline; do :; done`;
      await run(sandbox, detach);
      expect(findSleepers(mark)).toEqual([]);
      await run(undefined, detach);
      await expect.poll(() => findSleepers(mark), { message: "control" }).toHaveLength(1);
      for (const pid of findSleepers(mark)) process.kill(pid, "SIGKILL");
      await sandbox.close();
    }),
  );

  it(
    "leaves the workspace to its commands, and a temporary folder to the commands of one session",
    walled(async () => {
      const sandbox = make();
      const first = await run(sandbox, "echo kept > file && cat file && mktemp -d && echo own > $TMPDIR/own");
      expect(first).toEqual({ code: 0, output: expect.stringContaining(join(dataDir, "tmp/ses_1/")) as unknown });
      expect(readFileSync(join(workspace, "file"), "utf8")).toBe("kept\n");
      expect((await run(sandbox, "cat $TMPDIR/own")).output).toBe("own\n");
      const other = await run(sandbox, `echo $TMPDIR; cat ${dataDir}/tmp/ses_1/own`, { sessionId: "ses_2" });
      expect(other.output).toContain(join(dataDir, "tmp/ses_2"));
      expect(other.output).toContain("No such file");
      await sandbox.close();
      expect(existsSync(join(dataDir, "tmp"))).toBe(false);
    }),
  );

  it(
    "opens the workspace of its session inside of the data directory, and no other",
    walled(async () => {
      const own = join(dataDir, "workspaces/ses_1");
      for (const name of ["ses_1", "ses_2"]) {
        mkdirSync(join(dataDir, "workspaces", name), { recursive: true });
        writeFileSync(join(dataDir, "workspaces", name, "file"), name);
      }
      const sandbox = make();
      const { output } = await run(sandbox, "cat file; echo; ls ..; cat ../ses_2/file ../../token", { workspace: own });
      expect(output).toContain("ses_1\nses_1\n");
      expect(output).not.toContain("ses_2\n");
      expect(output).not.toContain("the token");
      await sandbox.close();
    }),
  );

  it(
    "hides files that it is told of",
    walled(async () => {
      const secret = join(root, "key.pem");
      writeFileSync(secret, "the key");
      const sandbox = make({ secretFiles: [secret] });
      expect((await run(sandbox, `cat ${secret}`)).output).not.toContain("the key");
      expect((await run(undefined, `cat ${secret}`)).output, "control").toContain("the key");
      await sandbox.close();
    }),
  );

  it(
    "leaves nothing in the workspace, and nothing that git would see while it runs",
    walled(async () => {
      rmSync(join(workspace, ".git"), { recursive: true });
      rmSync(join(workspace, "a"), { recursive: true });
      const sandbox = make();
      const { output } = await run(
        sandbox,
        "git init -q . && echo x > file && git add -A && git -c user.name=a -c user.email=a@b commit -qm first && git status --short && git ls-files",
      );
      expect(output).toBe("file\n");
      const again = await run(
        sandbox,
        "echo y > other && git add -A && git -c user.name=a -c user.email=a@b commit -qm second && git status --short",
      );
      expect(again).toEqual({ code: 0, output: "" });
      expect(readdirSync(workspace).sort()).toEqual([".git", "file", "other"]);
      await sandbox.close();
    }),
  );

  it(
    "lets git work where the engine was started in the workspace, or below it",
    walled(async () => {
      const started = process.cwd();
      mkdirSync(join(workspace, "below"));
      rmSync(join(workspace, ".git"), { recursive: true });
      const sandbox = make();
      try {
        for (const folder of [workspace, join(workspace, "below")]) {
          process.chdir(folder);
          const { output } = await run(
            sandbox,
            "[ -d .git ] || git init -q .; touch file && git add -A && git status --short",
          );
          expect(output).toBe("A  file\n");
          expect(readdirSync(folder)).not.toContain(".ripgreprc");
        }
      } finally {
        process.chdir(started);
      }
      await sandbox.close();
    }),
  );

  it(
    "tells how a command ended, also by a signal, and hands over its words as they are",
    walled(async () => {
      const sandbox = make();
      expect((await run(sandbox, "exit 7")).code).toBe(7);
      expect((await run(sandbox, "kill -TERM $$")).code).toBe(128 + 15);
      const odd = `'"$(touch a)\`touch b\`\\ \n; touch c & \u00e9\u{1F600}`;
      const { argv, env, cleanup } = await sandbox.wrap(["/usr/bin/printf", "%s", odd], {
        workspace,
        sessionId: "ses_1",
        env: { PATH },
      });
      const [program, ...args] = argv;
      const child = spawn(program, args, { env, cwd: workspace, stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      await new Promise((resolve) => child.once("close", resolve));
      await cleanup();
      expect(text).toBe(odd);
      expect(readdirSync(workspace).filter((name) => /^[abc]$/.test(name))).toEqual(["a"]);
      await sandbox.close();
    }),
  );

  it(
    "refuses commands that are too long, hold NUL or have no workspace",
    walled(async () => {
      const sandbox = make();
      const place = { workspace, sessionId: "ses_1", env: { PATH } };
      await expect(sandbox.wrap(["/bin/echo", "x".repeat(200_000)], place)).rejects.toThrow("too long for the sandbox");
      await expect(sandbox.wrap(["/bin/echo", "a\0b"], place)).rejects.toThrow("NUL");
      await expect(sandbox.wrap(["/bin/echo"], { ...place, workspace: "" })).rejects.toThrow("no workspace");
      await sandbox.close();
    }),
  );

  it(
    "runs commands side by side",
    walled(async () => {
      const sandbox = make();
      const runs = await Promise.all(
        Array.from({ length: 6 }, (_, n) => run(sandbox, `echo ${n} > f${n}; cat f${n}; echo x > .bashrc`)),
      );
      expect(runs.map(({ output }) => output.split("\n")[0])).toEqual(["0", "1", "2", "3", "4", "5"]);
      expect(readdirSync(workspace)).not.toContain(".bashrc");
      await sandbox.close();
    }),
  );

  it(
    "takes away what an engine that was killed has left in a workspace, and nothing that is in use",
    walled(async () => {
      const killed = make();
      await killed.wrap(["/bin/true"], { workspace, sessionId: "ses_1", env: { PATH } });
      expect(readdirSync(workspace)).toEqual(expect.arrayContaining([".bashrc", ".mcp.json", ".vscode"]));
      writeFileSync(join(workspace, ".vscode/settings.json"), "{}");
      const next = make();
      await next.removeLeft();
      expect(readdirSync(workspace).sort()).toEqual([".git", ".vscode", "a"]);
      await next.removeLeft();
      await killed.close();
    }),
  );

  it(
    "leaves nothing in a workspace whose commands have ended, also while others run elsewhere",
    walled(async () => {
      const elsewhere = join(root, "elsewhere");
      mkdirSync(elsewhere, { recursive: true });
      const sandbox = make();
      const { cleanup } = await sandbox.wrap(["/bin/true"], {
        workspace: elsewhere,
        sessionId: "ses_2",
        env: { PATH },
      });
      await run(sandbox, "ls -A");
      expect(readdirSync(workspace).sort()).toEqual([".git", "a"]);
      await cleanup();
      expect(existsSync(join(dataDir, "closed-names.json"))).toBe(false);
      await sandbox.close();
    }),
  );

  it("tells its own parts from what runs inside", () => {
    const own = [
      "/usr/bin/bwrap --new-session --die-with-parent --unshare-net --ro-bind / /",
      "/bin/sh -c SRT_ALLOW_NESTED_USERNS=0 /x/apply-seccomp /bin/sh -c '_c=$SANDBOXED_COMMAND;",
      "/x/vendor/seccomp/x64/apply-seccomp /bin/sh -c _c=$SANDBOXED_COMMAND; unset",
    ];
    expect(own.map(isSandboxPart)).toEqual([true, true, true]);
    expect(["bwrap --ro-bind / / true", "sleep 300", "/bin/bash -c x"].map(isSandboxPart)).toEqual([
      false,
      false,
      false,
    ]);
  });

  it(
    "says what is in force",
    walled(async () => {
      const sandbox = make({ mode: "required" });
      expect(await sandbox.state()).toEqual({ mode: "required", isActive: true, kind: "bubblewrap", reason: "" });
      await sandbox.close();
    }),
  );
});

describe("where there can be no sandbox", () => {
  const missing = { path: "/nowhere" };

  it("auto runs commands as they are, and says why", async () => {
    const sandbox = make(missing);
    expect(await sandbox.state()).toMatchObject({ mode: "auto", isActive: false, kind: "" });
    expect((await sandbox.state()).reason).toContain(
      process.platform === "linux" ? "install the package bubblewrap" : "missing",
    );
    expect(await run(sandbox, "echo plain")).toEqual({ code: 0, output: "plain\n" });
    await sandbox.close();
  });

  it("required runs nothing", async () => {
    const sandbox = make({ ...missing, mode: "required" });
    await expect(run(sandbox, "echo plain")).rejects.toThrow("commands run in a sandbox only, and there is none");
    await sandbox.close();
  });

  it("off tries nothing", async () => {
    const sandbox = createSandbox(
      { mode: "off", hosts: [], path: PATH, dataDir, secretFiles: [], protectedNames: PROTECTED_NAMES },
      { probe: () => Promise.reject(new Error("tried")) },
    );
    expect(await sandbox.state()).toEqual({
      mode: "off",
      isActive: false,
      kind: "",
      reason: "it is turned off (--sandbox off)",
    });
    expect(await run(sandbox, "echo plain")).toEqual({ code: 0, output: "plain\n" });
  });

  it("never runs a command without walls once they were there", async () => {
    const sandbox = createSandbox(
      { mode: "auto", hosts: [], path: PATH, dataDir, secretFiles: [], protectedNames: PROTECTED_NAMES },
      {
        probe: () =>
          Promise.resolve({ works: true, programs: { kind: "bubblewrap", bwrap: "/nowhere/bwrap", socat: "" } }),
        load: () => Promise.reject(new Error("the library is broken")),
      },
    );
    await expect(run(sandbox, "echo plain")).rejects.toThrow("the library is broken");
    await sandbox.close();
  });
});

/** The processes that sleep for so long. */
function findSleepers(seconds: string): readonly number[] {
  const isOne = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${seconds}\0`;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isOne(name))
    .map(Number);
}
