import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, EngineTopic, PermissionDecision, Role } from "../../src/client/client.ts";
import { parley } from "../cli-process.ts";
import { type EngineProcess, makeTempDir, startEngineProcess } from "../helpers/engine-process.ts";
import { ROOT } from "../third-party/place.ts";
import { type Ran, run } from "../third-party/programs.ts";
import { findPython, LANGUAGES } from "./languages.ts";

/** Compiling the generated Go code the first time takes its while, and the modules may have to come from the proxy. */
const BUILD_LIMIT_MS = 900_000;

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.stop());

interface Asking {
  /** Told of everything printed so far. */
  readonly onText?: (text: string) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs an example against the engine, wherever that is. */
function ask(command: readonly string[], args: readonly string[], { onText, env }: Asking = {}): Promise<Ran> {
  const [file = "", ...before] = command;
  return run(file, [...before, ...args], {
    env: { PARLEY_DATA_DIR: engine.dataDir, PARLEY_URL: "", PARLEY_TOKEN: "", ...env },
    isEnough: (stdout) => {
      onText?.(stdout.toString());
      return false;
    },
  });
}

/** What the model said in the newest session, message by message. */
async function answers(): Promise<string[]> {
  const client = createClient({ dataDir: engine.dataDir, env: {} });
  const [session] = (await client.sessions.listSessions({ pageSize: 1 })).sessions;
  const { messages } = await client.sessions.listMessages({ sessionId: session!.id });
  client.close();
  return messages
    .filter(({ role }) => role === Role.ASSISTANT)
    .map(({ parts }) => parts.map(({ content }) => (content.case === "text" ? content.value : "")).join(""));
}

/** Answers as somebody else would, at a client of their own. */
async function approveNext(): Promise<void> {
  const client = createClient({ dataDir: engine.dataDir, env: {} });
  const leaving = new AbortController();
  const stream = client.engine.watchEngine({ topics: [EngineTopic.REQUESTS] }, { signal: leaving.signal });
  for await (const { payload } of stream) {
    if (payload.case !== "request") continue;
    const { id: requestId } = payload.value;
    await client.permissions.resolvePermission({ requestId, decision: PermissionDecision.APPROVE });
    break;
  }
  leaving.abort();
  client.close();
}

/** Kills the engine once some of the answer is shown, and starts it again, on another port. */
async function askAndKill(command: readonly string[], args: readonly string[] = [], between?: Repair): Promise<Ran> {
  let restarted: Promise<void> | undefined;
  const ran = await ask(command, [...args, "write 100 words"], {
    onText: (text) => {
      if (text.split(" ").length > 20) restarted ??= restart(between);
    },
  });
  await restarted;
  return ran;
}

/** What is done with a data directory while no engine runs on it. */
type Repair = (dataDir: string) => Promise<void>;

async function restart(between?: Repair): Promise<void> {
  const { dataDir } = engine;
  await engine.kill();
  await between?.(dataDir);
  engine = await startEngineProcess({ dataDir });
}

for (const language of LANGUAGES) {
  describe.skipIf(language.tool === undefined)(`the example in ${language.name}`, () => {
    let command: readonly string[];
    beforeAll(async () => {
      command = await language.build();
    }, BUILD_LIMIT_MS);

    it("prints the answer, and goes on with the conversation of its label", async () => {
      const first = await ask(command, ["--label", `${language.name} a`, "echo: Grüße, 世界 👋"]);
      expect(first).toMatchObject({ status: 0, stderr: "" });
      expect(first.stdout.toString()).toBe("Grüße, 世界 👋\n");
      const second = await ask(command, ["--label", `${language.name} a`, "echo: again"]);
      expect(second.stdout.toString()).toBe("again\n");
      expect(await answers()).toEqual(["Grüße, 世界 👋", "again"]);
      await ask(command, ["--label", `${language.name} b`, "echo: elsewhere"]);
      expect(await answers()).toEqual(["elsewhere"]);
    });

    it("shows everything once over kill -9 and a restart on another port", async () => {
      const { status, stdout, stderr } = await askAndKill(command);
      expect(status).toBe(0);
      expect(stderr).toContain("the engine is away, trying again");
      const said = await answers();
      // The partial answer that the kill left, then the turn that went on by itself.
      expect(said).toHaveLength(2);
      expect(stdout.toString()).toBe(said.map((text) => `${text}\n`).join(""));
    });

    it("asks again where the store is restored to before it asked", async () => {
      const label = ["--label", `${language.name} restored`];
      await ask(command, [...label, "echo: before"]);
      const { stdout: folder } = await parley(["--data-dir", engine.dataDir, "backup"]);
      const { status, stdout } = await askAndKill(command, label, async (dataDir) => {
        expect(await parley(["--data-dir", dataDir, "restore", folder.trim()])).toMatchObject({ code: 0 });
      });
      expect(status).toBe(0);
      const [before, answer, ...more] = await answers();
      expect(before).toBe("before");
      expect(more).toEqual([]);
      // What was shown of the turn that is no more, then the answer to the one that took its place.
      const [gone = "", ...rest] = stdout.toString().split(/(?<=\n)(?=I am no AI)/);
      expect(gone).toMatch(/^I am no AI[^]+1\. quick/);
      expect(rest).toEqual([`${answer}\n`]);
    });

    it("says what waits for a human, and goes on when it is answered", async () => {
      const asking = ask(command, ["write a file named hello.txt that says hi"]);
      await approveNext();
      const { status, stdout, stderr } = await asking;
      expect(status).toBe(0);
      expect(stderr).toMatch(
        /^ask: waiting for a human: write_file: change hello\.txt \(parley requests answer req_\w+\)\n$/,
      );
      expect(stdout.toString()).toContain("I will write hello.txt.\n");
    });

    it("ends with the outcome of the turn, and says what the engine refuses", async () => {
      const failed = await ask(command, ["fail after 3 words"]);
      expect(failed.status).toBe(1);
      expect(failed.stderr).toContain("the turn did not complete: the demo model fails");
      const refused = await ask(command, ["hi"], { env: { PARLEY_URL: engine.url, PARLEY_TOKEN: "0".repeat(32) } });
      expect(refused.status).toBe(4);
      expect(refused.stderr).toContain("the token of this call is not one of this engine's");
    });
  });
}

describe("the example that shows the end of a session", () => {
  it("begins in the middle of an answer, and shows everything once over kill -9", async () => {
    const client = createClient({ dataDir: engine.dataDir, env: {} });
    const { session } = await client.sessions.createSession({ resumeAfterRestart: true });
    const sessionId = session!.id;
    const parts = [{ content: { case: "text" as const, value: "write 100 words" } }];
    for await (const { payload } of client.messages.sendMessage({ sessionId, parts })) {
      if (payload.case === "event" && payload.value.payload.case === "textDelta") break;
    }
    let restarted: Promise<void> | undefined;
    const { stdout } = await run(process.execPath, [join(ROOT, "examples/ts/tail.ts"), sessionId], {
      env: { PARLEY_DATA_DIR: engine.dataDir, PARLEY_URL: "", PARLEY_TOKEN: "" },
      isEnough: (shown) => {
        const text = shown.toString();
        if (text.split(" ").length > 40) restarted ??= restart();
        return text.split("91. ").length > 1 && text.endsWith("\n");
      },
    });
    await restarted;
    const said = ["› write 100 words", ...(await answers())];
    expect(stdout.toString()).toBe(said.map((text) => `${text}\n`).join(""));
    client.close();
  });
});

describe.skipIf(findPython() === undefined)("the control", () => {
  it("shows text twice where the place in the log is not kept", async () => {
    const source = readFileSync(join(import.meta.dirname, "../../examples/python/ask.py"), "utf8");
    const forgetful = source.replace("                    self.after = event.seq\n", "");
    expect(forgetful).not.toBe(source);
    const file = join(makeTempDir("control"), "ask.py");
    writeFileSync(file, forgetful);
    const { stdout } = await askAndKill([findPython()!, file]);
    expect(stdout.toString()).not.toBe((await answers()).map((text) => `${text}\n`).join(""));
  });
});
