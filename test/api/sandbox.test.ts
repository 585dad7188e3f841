import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ApprovalMode, PermissionScope, SandboxMode } from "../../src/client/client.ts";
import { probeSandbox } from "../../src/tool/sandbox/sandbox-probe.ts";
import { useGate } from "./gate-world.ts";

const machine = await probeSandbox({ path: "/usr/local/bin:/usr/bin:/bin", hasNetwork: false });
const gate = useGate();
const { turns } = gate;

test("the engine says whether commands run in a sandbox, and why not", async () => {
  await turns.start();
  const { sandbox } = await turns.engine.engine.getInfo({});
  expect(sandbox).toMatchObject({
    mode: SandboxMode.AUTO,
    active: machine.works,
    kind: machine.works ? machine.programs.kind : "",
    reason: machine.works ? "" : machine.reason,
  });
  expect((await turns.engine.engine.getStatus({})).sandbox).toEqual(sandbox);
});

test("what a command of an agent does stays in its workspace, whatever the mode", async () => {
  const { sessionId, turn: first } = await gate.ask([], { approvalMode: ApprovalMode.TRUST_ALL });
  await gate.ended(first);
  const { dataDir } = turns.engine;
  const outside = join(dataDir, "..", `outside-${process.pid}`);
  // As text that no parser of commands reads.
  const script = [
    `open("inside","w").write("x")`,
    `print(open("${dataDir}/tok"+"en").read())`,
    `open("${outside}","w").write("x")`,
  ].map((line) => `python3 -c '${line}' 2>&1 | tail -1`);
  const turn = await gate.askAgain(sessionId, [["shell", { command: script.join("; ") }]]);
  await gate.ended(turn);
  expect(existsSync(join((await gate.session(sessionId)).workspace, "inside"))).toBe(true);
  // Where there can be no sandbox the engine has said so; then this is what it is good for.
  expect(existsSync(outside)).toBe(!machine.works);
  rmSync(outside, { force: true });
  expect(gate.told()[0]?.includes(turns.engine.token)).toBe(!machine.works);
  expect(gate.told()[0]?.includes("Read-only file system")).toBe(machine.works);
});

test("a page is fetched after a human has said yes to its host, and one that is not public not even then", async () => {
  const { sessionId, turn } = await gate.ask([["fetch_url", { url: "http://127.0.0.1:8080/secret?x=1" }]]);
  const [request] = await gate.open(sessionId);
  expect(request?.permission?.reason).toContain("reads a page from 127.0.0.1");
  expect(request?.permission?.suggestedRules.map(({ pattern }) => pattern)).toEqual(["127.0.0.1"]);
  await gate.approve(request!.id, { scope: PermissionScope.SESSION });
  await gate.ended(turn);
  expect(gate.told()[0]).toContain("127.0.0.1 is not fetched from: it is this machine");
  // The rule that was written lets the next one run unasked; it does not open the address.
  const next = await gate.askAgain(sessionId, [["fetch_url", { url: "http://127.0.0.1/" }]]);
  await gate.ended(next);
  expect(gate.told().at(-1)).toContain("127.0.0.1 is not fetched from");
});

test("a URL that no one may fetch is told to the model, and nobody is asked", async () => {
  const { turn } = await gate.ask([
    ["fetch_url", { url: "file:///etc/passwd" }],
    ["fetch_url", { url: "http://u:p@example.com/" }],
    ["fetch_url", { url: "http://example.com:22/" }],
    ["fetch_url", {}],
  ]);
  await gate.ended(turn);
  expect(gate.told()).toEqual([
    expect.stringContaining("file: is fetched by nobody here"),
    expect.stringContaining("holds a name or a password"),
    expect.stringContaining("port 22 is not one of the web's"),
    expect.stringContaining("url is missing"),
  ]);
});

test("what a killed engine's commands have left in a workspace goes at the next start", async () => {
  const { sessionId, turn } = await gate.ask([["shell", { command: "ls" }]]);
  await gate.ended(turn);
  const { workspace } = await gate.session(sessionId);
  const { dataDir } = turns.engine;
  await turns.engine.stop();
  // As it would be if the engine had died while a command ran.
  const left = join(workspace, ".mcp.json");
  mkdirSync(left);
  writeFileSync(join(dataDir, "closed-names.json"), JSON.stringify([left]));
  writeFileSync(
    join(dataDir, "engine.json"),
    JSON.stringify({ url: "http://127.0.0.1:1", urls: [], pid: 1, version: "0" }),
  );
  turns.engine = await turns.engine.restart();
  expect(existsSync(left)).toBe(false);
});
