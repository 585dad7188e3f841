import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beside, inTerminal, parley, shellInTerminal, startParley, type TerminalStep } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.kill());

const here = (): string[] => ["--data-dir", engine.dataDir];
const CTRL_C = { send: "\u0003" };
const CTRL_D = { send: "\u0004" };
const NEW = { wait: "○ new session" };
const IDLE = { wait: "○ idle" };
const BUSY = { wait: "● " };
const type = (text: string) => ({ send: text });
const say = (text: string) => ({ send: `${text}\r` });

async function newestSession(): Promise<string> {
  const { stdout } = await parley(["sessions", "list", "--limit", "1", "--json", ...here()]);
  return stdout === "" ? "" : (JSON.parse(stdout) as { id: string }).id;
}

/** How often a text is seen. */
const times = (seen: string, text: string): number => seen.split(text).length - 1;

describe("from a pipe", () => {
  test("lines are answered one after the other", async () => {
    const ended = await parley(["chat", ...here()], "echo: one\n\necho: two\\\nlines\necho: three");
    expect(ended).toEqual({
      code: 0,
      stdout: "› echo: one\n\none\n\n› echo: two\nlines\n\ntwo\nlines\n\n› echo: three\n\nthree\n",
      stderr: "",
    });
  });

  test("a chat as JSON is the session's events", async () => {
    const { stdout, code } = await parley(["chat", "--json", ...here()], "echo: one\n/queue\necho: two\n");
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.filter((event) => "turnEnded" in event).length).toBe(2);
    expect(code).toBe(0);
  });

  test("Markdown stays as it is, and nothing colours it", async () => {
    const { stdout } = await parley(["chat", ...here()], "echo: **bold** `code`\n");
    expect(stdout).toContain("\n**bold** `code`\n");
  });

  test("a command that is not there ends it as wrong usage, and says nothing to the model", async () => {
    const ended = await parley(["chat", ...here()], "/nonsense\necho: never\n");
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("there is no /nonsense");
  });
});

describe("on a terminal", () => {
  test("looking in leaves no session behind", async () => {
    const before = await newestSession();
    const { seen, code } = await inTerminal(["chat", ...here()], [NEW, CTRL_D]);
    expect(seen).toContain("is no AI");
    expect(code).toBe(0);
    expect(await newestSession()).toBe(before);
  });

  test("what was typed stands once, tools are one line each, thoughts are dim; the last rows are gone at the end", async () => {
    const steps = [NEW, say("think: what time is it in Tokyo?"), { wait: "\nIt is" }, IDLE, CTRL_D];
    const { raw, seen, code } = await inTerminal(["chat", ...here()], steps);
    expect(code).toBe(0);
    expect(times(seen, "think: what time is it in Tokyo?")).toBe(1);
    expect(seen).toMatch(/\n⚙ now\(\{"timezone":"Asia\/Tokyo"\}\) → .*\n/);
    expect(raw).toContain("\u001B[2mThe");
    expect(seen).toContain(`go on with \`parley chat --session ${await newestSession()}`);
    expect(seen).not.toContain("○ idle");
    // Nothing but the colours and the cursor that it changed is left behind.
    expect(raw.trimEnd().endsWith("\u001B[?2004l")).toBe(false);
    expect(raw.lastIndexOf("\u001B[?2004l")).toBeGreaterThan(raw.lastIndexOf("\u001B[?2004h"));
    expect(raw.lastIndexOf("\u001B[?25h")).toBeGreaterThan(raw.lastIndexOf("\u001B[?25l"));
  });

  test("a long answer is written once, however often its last line was drawn; it breaks between words, code does not", async () => {
    const words = Array.from({ length: 60 }, (_, index) => `word${index}`).join(" ");
    const { seen } = await inTerminal(
      ["chat", ...here()],
      [
        NEW,
        say(`echo: ${words}\\`),
        say("```\\"),
        say(`${words}\\`),
        say("```"),
        { wait: "word59\n────" },
        IDLE,
        CTRL_D,
      ],
    );
    // As it was said, and as it was answered: 500 characters each, over seven rows of the terminal, and as code in one.
    expect(times(seen.replace(/\n *(?=word)/g, " "), words)).toBe(4);
    expect(seen.split("\n").filter((row) => row.startsWith("word") && row.length > 80)).toEqual([words]);
    expect(times(seen, "word31")).toBe(4);
  });

  test("Markdown is rendered; with --plain it is not", async () => {
    const steps = [NEW, say("echo: # Head\\"), say("**bold** and `code`"), { wait: "\n\nHead" }, IDLE, CTRL_D];
    const { raw, seen } = await inTerminal(["chat", ...here()], steps);
    expect(seen).toContain("\n\nHead\nbold and code\n");
    expect(raw).toContain("\u001B[1mbold\u001B[22m");
    const plain = await inTerminal(
      ["chat", "--plain", ...here()],
      [NEW, say("echo: **bold**"), { wait: "\n\n**bold**" }, IDLE, CTRL_D],
    );
    expect(plain.seen).toContain("\n\n**bold**\n");
  });

  test("Ctrl-C stops the answer, and the chat goes on; a second one leaves with 130", async () => {
    const steps = [
      NEW,
      say("talk without end"),
      { wait: "no AI" },
      { wait: "1. quick" },
      CTRL_C,
      { wait: "■ stopped" },
      IDLE,
      say("echo: still here"),
      { wait: "\nstill here" },
      IDLE,
      type("half a line"),
      { wait: "half a line" },
      CTRL_C,
      { gone: "half a line" },
      CTRL_C,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).code).toBe(130);
  });

  test("leaving during an answer leaves it to go on, and says how to see it", async () => {
    const steps = [NEW, say("write 60 words slowly"), { wait: "1. quick" }, CTRL_D];
    const { code, seen } = await inTerminal(["chat", ...here()], steps);
    expect(code).toBe(0);
    const id = await newestSession();
    expect(seen).toContain(`the turn goes on; see it with \`parley watch ${id}`);
    // Who comes back sees it from its beginning.
    const back = await inTerminal(
      ["chat", "--continue", ...here()],
      [{ wait: "write 60 words slowly" }, { wait: "no AI" }, BUSY, CTRL_C, { wait: "stopped" }, CTRL_D],
    );
    expect(times(back.seen, "write 60 words slowly\n\nI am no AI")).toBe(1);
  });

  test("what is sent while an answer comes waits in sight, and is said after it, once", async () => {
    const steps = [
      NEW,
      say("write 20 words at 10 words a second"),
      { wait: "1. quick" },
      say("echo: typed ahead"),
      { wait: "⧗ after it: echo: typed ahead" },
      { wait: "1 waiting" },
      { wait: "\n\ntyped ahead" },
      IDLE,
      CTRL_D,
    ];
    const { seen, code } = await inTerminal(["chat", ...here()], steps);
    expect(code).toBe(0);
    expect(times(seen, "› echo: typed ahead")).toBe(1);
  });

  test("lines that were typed before the chat was ready are sent one by one, in order", async () => {
    const steps = [say("echo: first"), say("echo: second"), { wait: "\n\nsecond" }, IDLE, CTRL_D];
    const { seen } = await inTerminal(["chat", ...here()], steps);
    expect(seen.indexOf("› echo: first")).toBeLessThan(seen.indexOf("› echo: second"));
    expect(seen).toContain("› echo: first\n\nfirst\n");
  });

  test("what is pasted is one message with its line feeds, sent with Enter alone", async () => {
    const steps = [
      NEW,
      type("\u001B[200~echo: one\rtwo\u001B[31m\rthree\u001B[201~"),
      { wait: "three" },
      NEW,
      type("\r"),
      { wait: "\n\none\ntwo[31m\nthree" },
      IDLE,
      CTRL_D,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).seen).toContain("› echo: one\ntwo[31m\nthree\n");
  });

  test("wide characters, emoji and long lines are edited where they stand, over a resize too", async () => {
    const long = `${"日本語".repeat(20)}👩‍👩‍👧end`;
    const steps = [
      NEW,
      type(`echo: ${long}`),
      { wait: long },
      { size: [20, 40] as const },
      type("\u001B[D\u001B[D\u001B[D\u007F"),
      { wait: "日本語end" },
      { size: [30, 100] as const },
      type("\u0001\u0006\u0006\u0006\u0006\u0006\u0006X\r"),
      { wait: "\n\nX日本語" },
      IDLE,
      CTRL_D,
    ];
    const { seen } = await inTerminal(["chat", ...here()], steps);
    const said = `X${"日本語".repeat(20)}end`;
    expect(seen.replace(/\n */g, "")).toContain(`› echo: ${said}${said}`);
    expect(times(seen, "○")).toBe(0);
  });

  test("what was typed is found in the next chat, but what began with a space", async () => {
    await inTerminal(
      ["chat", ...here()],
      [NEW, say("echo: remembered"), IDLE, say(" echo: secret"), { wait: "\n\nsecret" }, CTRL_D],
    );
    const path = join(engine.dataDir, "chat-history");
    expect(readFileSync(path, "utf8")).not.toContain("secret");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const steps = [
      NEW,
      type("\u0012rememb"),
      { wait: "search › rememb  echo: remembered" },
      type("\r"),
      { wait: "\n\nremembered" },
      CTRL_D,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).code).toBe(0);
  });

  test("what others say, get and queue in the session appears, and what one is typing stays", async () => {
    await parley(["run", "echo: begin", ...here()]);
    const id = await newestSession();
    const watching = startParley(["watch", id, ...here()]);
    await watching.sees("\nbegin");
    const { code } = await inTerminal(
      ["chat", "--session", id, ...here()],
      [
        { wait: "\nbegin" },
        IDLE,
        type("my own wor"),
        { wait: "my own wor" },
        beside("run", "echo: from elsewhere", "--session", id, ...here()),
        { wait: "› echo: from elsewhere" },
        { wait: "\nfrom elsewhere" },
        { wait: "› my own wor" },
        say("\u0015echo: mine"),
        { wait: "\nmine" },
        IDLE,
        CTRL_D,
      ],
    );
    expect(code).toBe(0);
    // Who watches sees the same.
    await watching.sees("\nmine");
    watching.child.kill("SIGINT");
    expect((await watching.ended).stdout).toBe(
      "› echo: begin\n\nbegin\n\n› echo: from elsewhere\n\nfrom elsewhere\n\n› echo: mine\n\nmine\n",
    );
  });

  test("who watches on a terminal sees the same as who chats, each line once", async () => {
    await parley(["run", "echo: begin", ...here()]);
    const id = await newestSession();
    const text = "echo: # Head\n\n**one**\n\n```py\nx = 1\n```\n\n| a | b |\n|---|---|\n| c | d |\n\nthe end";
    const { seen } = await inTerminal(
      ["watch", id, ...here()],
      [{ wait: "\nbegin" }, beside("run", text, "--session", id, ...here()), { wait: "\n\nthe end\n" }, CTRL_C],
    );
    const rule = "─".repeat(40);
    expect(seen).toContain(
      `\n\nHead\n\none\n\n── py ${rule.slice(6)}\nx = 1\n${rule}\n\na │ b\n──┼──\nc │ d\n\nthe end\n`,
    );
  });

  test("a chat goes on when its engine is killed and started again; what was said meanwhile is said then", async () => {
    const first = await startEngineProcess();
    const { dataDir } = first;
    const steps = [
      NEW,
      say("talk without end"),
      { wait: "1. quick" },
      { run: ["kill", "-9", String(first.pid)] },
      { wait: "the engine is away" },
      beside("up", "--port", "0", "--data-dir", dataDir),
      { wait: "✗ interrupted" },
      IDLE,
      say("echo: alive"),
      { wait: "\n\nalive" },
      IDLE,
      CTRL_D,
    ];
    try {
      expect((await inTerminal(["chat", "--data-dir", dataDir], steps)).code).toBe(0);
    } finally {
      await parley(["down", "--data-dir", dataDir]);
    }
  });

  test("what cannot be sent holds up no command, and who leaves without it is told", async () => {
    const gone = await startEngineProcess();
    const steps = [
      NEW,
      say("echo: here"),
      { wait: "\n\nhere" },
      IDLE,
      { run: ["kill", "-9", String(gone.pid)] },
      { wait: "the engine is away" },
      say("echo: lost"),
      { wait: "… echo: lost" },
      say("/queue"),
      { wait: "nothing waits" },
      CTRL_D,
      CTRL_D,
    ];
    const { seen, code } = await inTerminal(["chat", "--data-dir", gone.dataDir], steps);
    expect(code).toBe(0);
    expect(seen).toContain("left before the engine took this: echo: lost");
  });

  test("what was sent is said, even where its human leaves at once", async () => {
    await inTerminal(["chat", ...here()], [NEW, type("echo: a last word\r\u0004")]);
    expect((await parley(["sessions", "show", await newestSession(), ...here()])).stdout).toContain(
      "echo: a last word",
    );
  });

  test("Ctrl-Z gives the terminal to the shell as it was, and fg brings the chat and what was typed back", async () => {
    const steps = [
      { send: `PS1="ready$ "; parley chat --data-dir ${engine.dataDir}\r` },
      NEW,
      type("half a line"),
      { wait: "› half a line" },
      type("\u001A"),
      { gone: "○" },
      // What is typed before the shell asks again may still be the chat's.
      { wait: `Stopped                 parley chat --data-dir ${engine.dataDir}\nready$` },
      { send: "echo from the $((1+1))nd\r" },
      { wait: "\nfrom the 2nd\n" },
      { send: "fg\r" },
      { wait: "› half a line" },
      CTRL_C,
      { gone: "half a line\n○" },
      CTRL_D,
      { gone: "○" },
      { send: "exit\r" },
    ];
    const { seen } = await shellInTerminal(["bash", "--norc", "--noprofile", "-i"], steps);
    expect(seen).toContain("Stopped");
  });

  test("a session that is deleted ends its chat with one line", async () => {
    await parley(["run", "echo: begin", ...here()]);
    const id = await newestSession();
    const steps = [{ wait: "\nbegin" }, IDLE, beside("sessions", "delete", id, ...here()), { wait: "deleted" }];
    expect((await inTerminal(["chat", "--session", id, ...here()], steps)).code).toBe(4);
  });

  test("control characters and invisible ones of a model are shown, not obeyed; pipes get them as they are", async () => {
    const nasty = "red\u001B[31m bell\u0007 up\u009B2A over\u202Egnp\u202C zero\u200Bwidth \u{E0041}tag";
    const shown = "red␛[31m bell␇ up<U+009B>2A over<U+202E>gnp<U+202C> zero<U+200B>width <U+E0041>tag";
    expect((await inTerminal(["run", `echo: ${nasty}`, ...here()], [])).raw).toContain(shown);
    expect((await parley(["run", `echo: ${nasty}`, ...here()])).stdout).toBe(`${nasty}\n`);
    const { seen } = await inTerminal(["chat", "--continue", ...here()], [IDLE, { wait: "<U+E0041>tag" }, CTRL_D]);
    expect(times(seen.replace(/\n */g, " "), shown)).toBe(2);
    // Titles too.
    await parley(["sessions", "rename", "last", nasty, ...here()]);
    expect((await inTerminal(["sessions", "list", "--limit", "1", ...here()], [])).raw).toContain("red␛[31m");
  });

  test("colours need a terminal and nobody who forbids them", async () => {
    const colored = await inTerminal(["chat", ...here()], [NEW, CTRL_D]);
    expect(colored.raw).toContain("\u001B[36m›");
    expect((await inTerminal(["chat", "--no-color", ...here()], [NEW, CTRL_D])).raw).not.toContain("\u001B[36m");
    expect((await inTerminal(["chat", ...here()], [NEW, CTRL_D], { NO_COLOR: "1" })).raw).not.toContain("\u001B[36m");
  });

  test("the token does not appear in what a chat shows", async () => {
    const token = readFileSync(join(engine.dataDir, "token"), "utf8").trim();
    const { raw } = await inTerminal(["chat", ...here()], [NEW, say("echo: hi"), { wait: "\n\nhi" }, CTRL_D]);
    expect(raw).not.toContain(token);
  });
});

describe("commands of a chat", () => {
  test("Tab completes them, with what they do", async () => {
    const steps = [
      NEW,
      type("/fo"),
      { wait: "/follow-up TEXT    say something after" },
      type("rk\t"),
      { wait: "/fork [N|MESSAGE]" },
      CTRL_C,
      { gone: "/fork" },
      type("/hel\t\r"),
      { wait: "this list" },
      CTRL_D,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).code).toBe(0);
  });

  test("/queue lists what waits, and what another chat takes out with /unqueue goes from sight", async () => {
    await parley(["run", "echo: begin", ...here()]);
    const id = await newestSession();
    const chat = (steps: readonly TerminalStep[]) => inTerminal(["chat", "--session", id, ...here()], steps);
    const other = chat([
      { wait: "⧗ after it: echo: never" },
      say("/unqueue 1"),
      { wait: "taken out: after it: echo: never" },
      { wait: "■ stopped" },
      CTRL_D,
    ]);
    const { seen } = await chat([
      IDLE,
      say("talk without end"),
      { wait: "1. quick" },
      say("/follow-up echo: never"),
      say("/queue"),
      { wait: "1  after it: echo: never" },
      { gone: "⧗" },
      say("/steer echo: steered"),
      { wait: "to this answer: echo: steered" },
      say("/unqueue all"),
      { wait: "taken out: to this answer: echo: steered" },
      say("/cancel"),
      { wait: "■ stopped" },
      IDLE,
      CTRL_D,
    ]);
    expect(times(seen, "› echo: never")).toBe(0);
    expect((await other).code).toBe(0);
  });

  test("a full queue is told at once, with what was not sent, and commands go on", async () => {
    const waiting = Array.from({ length: 20 }, (_, index) => say(`echo: q${index}`));
    const steps = [
      NEW,
      say("talk without end"),
      { wait: "1. quick" },
      ...waiting,
      { wait: "20 waiting" },
      say("echo: one too many"),
      { wait: "20 messages wait in session" },
      { wait: "take one out" },
      { wait: "not sent: echo: one too many" },
      { gone: "… echo: one too many" },
      say("/unqueue all"),
      { wait: "taken out: after it: echo: q19" },
      say("/cancel"),
      { wait: "■ stopped" },
      IDLE,
      CTRL_D,
    ];
    const { seen, code } = await inTerminal(["chat", ...here()], steps);
    expect(code).toBe(0);
    expect(times(seen, "› echo: one too many")).toBe(0);
  });

  test("a mode that another sets is told with what it means, and stands in the line of the state until it is default again", async () => {
    const elsewhere = (mode: string): TerminalStep => beside("permissions", "mode", "last", mode, ...here());
    const { seen, code } = await inTerminal(
      ["chat", ...here()],
      [
        NEW,
        say("echo: hello"),
        { wait: "\nhello" },
        IDLE,
        elsewhere("trust_all"),
        { wait: "the mode is now trust_all: it never asks" },
        { wait: "○ idle · trust_all · " },
        say("/mode default"),
        { wait: "the mode is now default: it reads in the folder and asks before the rest" },
        { gone: "· trust_all ·" },
        CTRL_D,
      ],
    );
    expect(code).toBe(0);
    expect(times(seen, "the mode is now trust_all")).toBe(1);
  });

  test("a mode that is set before anything is said, or at the start, is that of the session to come", async () => {
    const mode = async () => (await parley(["permissions", "mode", "last", ...here()])).stdout;
    const lines = await parley(["chat", ...here()], "/mode\n/mode plan\necho: hello\n/mode\n");
    expect(lines).toMatchObject({ code: 0 });
    expect(lines.stdout).toContain("the mode of the next session is the engine's own");
    expect(lines.stdout).toContain("the mode of the next session is plan: it looks and touches nothing");
    expect(lines.stdout).toContain("the mode is plan");
    expect(await mode()).toBe("plan\n");
    const steps = [{ wait: "○ new session · restricted" }, say("echo: hello"), { wait: "○ idle · restricted" }, CTRL_D];
    await inTerminal(["chat", "--mode", "restricted", ...here()], steps);
    expect(await mode()).toBe("restricted\n");
    expect((await parley(["chat", "--mode", "yolo", ...here()])).code).toBe(2);
    expect((await parley(["chat", "--mode", "plan", "--session", "last", ...here()])).code).toBe(2);
  });

  test("/title, /star and /model change the session, and the line of its state says so", async () => {
    const steps = [
      NEW,
      say("echo: hi"),
      { wait: "\n\nhi" },
      IDLE,
      say("/title Ünïcode 標題"),
      say("/star"),
      say("/model other"),
      { wait: "the model is other of demo now" },
      { wait: "★ Ünïcode 標題" },
      CTRL_D,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).code).toBe(0);
    const { stdout } = await parley(["sessions", "list", "--limit", "1", "--json", ...here()]);
    expect(JSON.parse(stdout)).toMatchObject({ title: "Ünïcode 標題", starred: true, model: "other" });
  });

  test("/new begins another session, /sessions goes back", async () => {
    const steps = [
      NEW,
      say("echo: in the first"),
      { wait: "\n\nin the first" },
      IDLE,
      say("/new"),
      NEW,
      say("echo: in the second"),
      { wait: "\n\nin the second" },
      IDLE,
      say("/sessions"),
      { wait: "/sessions N goes into" },
      say("/sessions 2"),
      { gone: "never there" },
      say("echo: back"),
      { wait: "\n\nback" },
      CTRL_D,
    ];
    const { seen } = await inTerminal(["chat", ...here()], steps);
    expect(seen.lastIndexOf("› echo: in the first")).toBeGreaterThan(seen.indexOf("› echo: in the second"));
  });

  test("/rewind takes back what was said and brings it to the prompt; /fork leaves it to the other session", async () => {
    const steps = [
      NEW,
      say("echo: keep"),
      { wait: "\n\nkeep" },
      IDLE,
      say("echo: regret"),
      { wait: "\n\nregret" },
      IDLE,
      say("/history"),
      { wait: "1  echo: regret" },
      say("/fork 1"),
      { wait: "this is the fork" },
      { wait: "› echo: regret\n○" },
      say(" it"),
      { wait: "\n\nregret it" },
      IDLE,
      say("/rewind 2"),
      { wait: "⟲ rewound" },
      { wait: "› echo: keep\n○" },
      CTRL_C,
      { gone: "› echo: keep\n○" },
      say("echo: again"),
      { wait: "\n\nagain" },
      IDLE,
      say("/clear"),
      { wait: "/clear yes" },
      say("/clear yes"),
      { wait: "⟲ the history was cleared" },
      CTRL_D,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).code).toBe(0);
    const { stdout } = await parley(["sessions", "list", "--limit", "2", "--json", ...here()]);
    const [forked, original] = stdout
      .split("\n")
      .slice(0, 2)
      .map((line) => JSON.parse(line) as { id: string; forkedFrom?: string });
    expect(forked?.forkedFrom).toBe(original?.id);
    expect((await parley(["sessions", "show", original?.id ?? "", ...here()])).stdout).toContain("regret\n");
  });

  test("what is wrong is told in a line, and the chat goes on", async () => {
    const steps = [
      NEW,
      say("/rewind"),
      { wait: "there is no session yet" },
      say("/stear x"),
      { wait: "did you mean /steer?" },
      say(" /etc/passwd is said"),
      { wait: 'You said: "/etc/passwd is said' },
      IDLE,
      say("/steer too late"),
      { wait: "runs no turn to steer" },
      say("/rewind 9"),
      { wait: "give a number from 1 to 1" },
      say("/title"),
      { wait: "say what: /title TEXT" },
      CTRL_D,
    ];
    expect((await inTerminal(["chat", ...here()], steps)).code).toBe(0);
  });
});
