import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageFile from "../package.json" with { type: "json" };
import { inShell, inTerminal, parley, startParley } from "./cli-process.ts";
import { type EngineProcess, makeTempDir, startEngineProcess, startRefused } from "./helpers/engine-process.ts";

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.kill());

const here = (): string[] => ["--data-dir", engine.dataDir];
const jsonLines = (text: string): Record<string, unknown>[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]));

describe("serve", () => {
  test("prints one line, READY and where it serves, and nothing else", async () => {
    const running = startParley(["serve", "--port", "0", "--data-dir", makeTempDir()]);
    await running.sees("\n");
    running.child.kill("SIGTERM");
    const { code, stdout, stderr } = await running.ended;
    expect(stdout).toMatch(/^READY http:\/\/127\.0\.0\.1:\d+\n$/);
    expect(stderr).not.toBe("");
    expect(code).toBe(0);
  });

  test("says on a terminal what to type next, and stops with Ctrl-C", async () => {
    const dataDir = makeTempDir();
    const steps = [{ wait: "READY" }, { wait: "parley chat" }, { send: "\u0003" }];
    const { seen, code } = await inTerminal(
      ["serve", "--port", "0", "--data-dir", dataDir, "--log-level", "silent"],
      steps,
    );
    expect(seen).toContain(`talk to it from another terminal: parley chat --data-dir ${dataDir}`);
    expect(seen).toContain("stopping");
    expect(code).toBe(0);
  });

  test("is refused with one line where another engine has the data directory, and leaves that one alone", async () => {
    const { status, stdout, stderr } = await startRefused({ dataDir: engine.dataDir });
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^parley: the engine at http:\S+ \(process \d+\) uses the data directory .*; stop it, or .*\n$/,
    );
    expect(status.code).toBe(1);
    expect((await parley(["status", ...here()])).code).toBe(0);
  });

  test("says in one line that a port is taken, and what to do", async () => {
    const { status, stdout, stderr } = await startRefused({ port: engine.port });
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^parley: [^\n]*\n$/);
    expect(stderr).toContain(String(engine.port));
    expect(stderr).toContain("--port");
    expect(status.code).toBe(1);
  });

  test.for([
    ["--port", "70000"],
    ["--allow-origin", "*"],
    ["--log-level", "loud"],
    ["--nonsense", "1"],
  ])("refuses %s %s as wrong usage", async (args) => {
    const { code, stdout, stderr } = await parley(["serve", "--data-dir", makeTempDir(), ...args]);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^parley: [^\n]+\n$/);
    expect(code).toBe(2);
  });
});

describe("run", () => {
  test("prints the answer's text and nothing else", async () => {
    expect(await parley(["run", "echo: two words", ...here()])).toEqual({ code: 0, stdout: "two words\n", stderr: "" });
  });

  test("reads stdin, with - and without", async () => {
    expect((await parley(["run", ...here()], "echo: from a pipe")).stdout).toBe("from a pipe\n");
    expect((await parley(["run", "-", ...here()], "echo: from a dash")).stdout).toBe("from a dash\n");
    expect(await parley(["run", ...here()], " \n")).toMatchObject({ code: 2, stdout: "" });
  });

  test("goes on in a session, and says what it sent as JSON lines", async () => {
    const created = await parley(["run", "echo: one", "--json", ...here()]);
    const events = jsonLines(created.stdout);
    const started = events.find((event) => "turnStarted" in event) as { turnStarted: { turn: { sessionId: string } } };
    expect(events.at(-1)).toMatchObject({ turnEnded: { reason: "TURN_END_REASON_COMPLETED" } });
    const { sessionId } = started.turnStarted.turn;
    expect((await parley(["run", "echo: two", "--session", sessionId, ...here()])).stdout).toBe("two\n");
    const shown = await parley(["sessions", "show", sessionId, ...here()]);
    expect(shown.stdout).toContain("› echo: one\n\none\n\n› echo: two\n\ntwo\n");
    const asJson = JSON.parse((await parley(["sessions", "show", sessionId, "--json", ...here()])).stdout) as {
      messages: unknown[];
    };
    expect(asJson.messages.length).toBe(4);
  });

  test("ends with 1 when the turn fails, and says why and what to do in one line", async () => {
    const { code, stdout, stderr } = await parley(["run", "fail after 3 words", ...here()]);
    expect(code).toBe(1);
    expect(stdout).not.toBe("");
    expect(stderr).toMatch(
      /^parley: the turn failed: .* \(PROVIDER_\w+\); go on with `parley chat --session ses_\w+ --data-dir \S+`\n$/,
    );
  });

  test("Ctrl-C cancels the turn and ends with 130", async () => {
    const running = startParley(["run", "talk without end", ...here()]);
    await running.sees(" ");
    running.child.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
    const [session] = jsonLines((await parley(["sessions", "list", "--limit", "1", "--json", ...here()])).stdout);
    expect(session?.["state"]).toBe("SESSION_STATE_IDLE");
    expect((await parley(["sessions", "show", String(session?.["id"]), ...here()])).stdout).toContain("■ stopped here");
  });

  test("somebody else's cancel ends it with 6", async () => {
    const running = startParley(["run", "talk without end", "--json", ...here()]);
    await running.sees("textDelta");
    const { sessionId } = (
      JSON.parse(/.*turnStarted.*/.exec(running.stdout())?.[0] ?? "") as {
        turnStarted: { turn: { sessionId: string } };
      }
    ).turnStarted.turn;
    const body = JSON.stringify({ sessionId });
    const headers = { "content-type": "application/json", authorization: `Bearer ${engine.token}` };
    await fetch(`${engine.url}/parley.v1.MessageService/CancelTurn`, { method: "POST", headers, body });
    expect((await running.ended).code).toBe(6);
  });
});

describe("watch", () => {
  test("shows a session over kill -9 and restart of its engine, everything once", async () => {
    let lived = await startEngineProcess();
    const where = ["--data-dir", lived.dataDir];
    const talk = startParley(["run", "talk without end at 300 words a second", "--json", ...where]);
    await talk.sees("textDelta");
    const started = JSON.parse(/.*turnStarted.*/.exec(talk.stdout())?.[0] ?? "") as {
      turnStarted: { turn: { sessionId: string } };
    };
    const { sessionId } = started.turnStarted.turn;
    const watching = startParley(["watch", sessionId, "--json", ...where]);
    const shown = startParley(["watch", sessionId, ...where]);
    await watching.sees("textDelta");
    await shown.sees("talk without end");
    await lived.kill();
    lived = await startEngineProcess({ dataDir: lived.dataDir });
    await watching.sees("turnEnded");
    expect((await talk.ended).code).toBe(1);
    expect((await parley(["run", "echo: and back", "--session", sessionId, ...where])).stdout).toBe("and back\n");
    await watching.sees("and back");
    await shown.sees("\nand back");
    watching.child.kill("SIGINT");
    shown.child.kill("SIGINT");
    expect((await watching.ended).code).toBe(130);
    const seqs = jsonLines(watching.stdout()).map(({ seq }) => Number(seq));
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));

    const interrupted = (await parley(["sessions", "show", sessionId, "--json", ...where])).stdout;
    const { messages } = JSON.parse(interrupted) as { messages: { role: string; parts: { text: string }[] }[] };
    const text =
      messages
        .find(({ role }) => role === "ROLE_ASSISTANT")
        ?.parts.map(({ text }) => text)
        .join("") ?? "";
    const human = (await shown.ended).stdout;
    expect(human).toContain(text.trimEnd());
    expect(human).toContain("✗ interrupted");
    const late = startParley(["watch", sessionId, "--after-seq", String(seqs.at(-1)), "--json", ...where]);
    await parley(["sessions", "delete", sessionId, ...where]);
    expect(await late.ended).toMatchObject({ code: 4, stdout: "" });
    await lived.kill();
  });

  test("refuses to begin after an event that there is not, and says what to do", async () => {
    await parley(["run", "echo: hi", ...here()]);
    const ended = await parley(["watch", "last", "--after-seq", "9999", ...here()]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/the last event of this log is \d+; give \d+ to see what comes, or 0 for all of it/);
  });

  test("says that the engine is away, and that it is back", async () => {
    const first = await startEngineProcess();
    const where = ["--data-dir", first.dataDir];
    await parley(["run", "echo: hi", ...where]);
    const id = String(jsonLines((await parley(["sessions", "list", "--json", ...where])).stdout)[0]?.["id"]);
    const watching = startParley(["watch", id, ...where]);
    await watching.sees("hi");
    await first.kill();
    await expect.poll(watching.stderr).toContain("the engine is away, trying again");
    const second = await startEngineProcess({ dataDir: first.dataDir });
    await expect.poll(watching.stderr).toContain("connected again");
    expect(watching.stderr().trimEnd().split("\n").length).toBe(2);
    watching.child.kill("SIGINT");
    await watching.ended;
    await second.kill();
  });
});

describe("the other commands", () => {
  test("status tells what the engine does, as text and as JSON", async () => {
    const { stdout } = await parley(["status", ...here()]);
    expect(stdout).toContain(`at ${engine.url}`);
    expect(JSON.parse((await parley(["status", "--json", ...here()])).stdout)).toMatchObject({
      version: packageFile.version,
    });
  });

  test("token prints the token", async () => {
    const kept = readFileSync(join(engine.dataDir, "token"), "utf8");
    expect(await parley(["token", ...here()])).toEqual({ code: 0, stdout: kept, stderr: "" });
  });

  test("sessions are listed the newest first, and deleted", async () => {
    await parley(["run", "echo: first", ...here()]);
    await parley(["run", "echo: second", ...here()]);
    const lines = (await parley(["sessions", "list", "--limit", "2", ...here()])).stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/^(\S+) .* (\S+)$/, "$2"))).toEqual(["Second", "First"]);
    const ids = lines.map((line) => line.split(" ")[0] ?? "");
    const deleted = await parley(["sessions", "delete", ...ids, ...here()]);
    expect(deleted.stdout).toBe(ids.map((id) => `deleted ${id}\n`).join(""));
    expect(await parley(["sessions", "delete", ids[0] ?? "", ...here()])).toMatchObject({ code: 4, stdout: "" });
  });

  test("version and help go to stdout, and end well", async () => {
    expect(await parley(["--version"])).toEqual({ code: 0, stdout: `${packageFile.version}\n`, stderr: "" });
    const { code, stdout, stderr } = await parley(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Exit codes:");
    expect((await parley(["run", "--help"])).stdout).toContain("--data-dir");
  });

  test.for([
    [["status", "--data-dir", "/nonexistent/parley"], 3, "parley serve"],
    [["status", "--url", "http://127.0.0.1:1", "--data-dir", "HERE"], 3, "parley serve"],
    [["status", "--url", "nonsense", "--data-dir", "HERE"], 2, "http://"],
    [["sessions", "show", "ses_none", "--data-dir", "HERE"], 4, "ses_none"],
    [["watch", "ses_none", "--data-dir", "HERE"], 4, "ses_none"],
    [["chat", "--session", "ses_none", "--data-dir", "HERE"], 4, "ses_none"],
    [["run", "hi", "--profile", "none", "--data-dir", "HERE"], 4, "parley status"],
    [["watch"], 2, "session"],
    [["watch", "ses_x", "--after-seq", "-1"], 2, "after-seq"],
    [["chat", "--session", "x", "--continue"], 2, "--continue"],
    [["nonsense"], 2, "parley --help"],
    [["completion", "fis"], 2, "zsh, fish; see parley --help"],
  ] as const)("%j ends with %i and one line that says what to do", async ([args, code, hint]) => {
    const ended = await parley(args.map((arg) => (arg === "HERE" ? engine.dataDir : arg)));
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toMatch(/^parley: [^\n]+\n$/);
    expect(ended.stderr).toContain(hint);
  });

  test("a wrong token is refused with what to do", async () => {
    const ended = await parley(["status", "--url", engine.url], "", { PARLEY_TOKEN: "not-the-right-token" });
    expect(ended).toMatchObject({ code: 4, stdout: "" });
    expect(ended.stderr).toContain("set PARLEY_TOKEN");
  });

  test("a reader that goes away is no failure", () => {
    const words = inShell(`parley run "write 5000 words as fast as you can" --data-dir ${engine.dataDir} | head -c 20`);
    expect(words).toMatchObject({ code: 0, stderr: "" });
    const lines = inShell(
      `for i in 1 2 3; do parley sessions list --json --data-dir ${engine.dataDir} | head -1; done`,
    );
    expect(lines).toMatchObject({ code: 0, stderr: "" });
  });

  test("what is no terminal gets no colours and no cursor movements", async () => {
    const { stdout, stderr } = await parley(["chat", ...here()], "think about it\nfail\n");
    expect(stdout + stderr).not.toContain("\u001B");
    expect(stdout).toContain("✗ failed");
  });
});
