import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChatCompletionRequest, ToolCall } from "@copilotkit/aimock";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createClient,
  EngineTopic,
  PermissionDecision,
  PermissionScope,
  type Client,
  type Event,
  type Request,
} from "../../src/client/client.ts";
import { startAimock, type Aimock } from "../helpers/aimock.ts";
import { makeTempDir, startEngineProcess, type EngineProcess } from "../helpers/engine-process.ts";

// A model that others wrote and we script asks for the work of a programmer: it looks for the test that fails, mends the file,
// and runs the test again. A second client approves.

const BROKEN = "export const sum = (...all) => all.reduce((a, b) => a - b, 0);\n";
const MENDED = "export const sum = (...all) => all.reduce((a, b) => a + b, 0);\n";
const TEST = `import assert from "node:assert";
import { test } from "node:test";
import { sum } from "./sum.mjs";
test("two and three make five", () => assert.equal(sum(2, 3), 5));
`;

let upstream: Aimock;
let engine: EngineProcess;
let repository: string;

beforeEach(async () => {
  repository = makeTempDir("repository");
  writeFileSync(join(repository, "sum.mjs"), BROKEN);
  writeFileSync(join(repository, "sum.test.mjs"), TEST);
  git("init", "--quiet");
  git("add", ".");
  git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "a sum");
  upstream = await startAimock();
  engine = await startEngineProcess({
    env: { OPENAI_BASE_URL: upstream.baseUrl, OPENAI_API_KEY: "sk-test", OPENAI_MODEL: "m-1", PARLEY_TITLES: "off" },
  });
});

afterEach(async () => {
  await engine.stop();
  await upstream.stop();
});

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: repository, encoding: "utf8" });
}

/** What the model asks for, one call a step, and what it must have been told before it asks for the next. */
const SCRIPT: readonly { readonly name: string; readonly args: object; readonly told: RegExp }[] = [
  { name: "grep", args: { pattern: "sum\\(" }, told: /sum\.test\.mjs:4/ },
  { name: "shell", args: { command: "node --test" }, told: /fail 1/ },
  { name: "read_file", args: { path: "sum.mjs" }, told: /a - b/ },
  { name: "edit_file", args: { path: "sum.mjs", old_text: "a - b", new_text: "a + b" }, told: /sum\.mjs/ },
  { name: "shell", args: { command: "node --test" }, told: /fail 0/ },
];

function callOf(step: number): ToolCall {
  const { name, args } = SCRIPT[step]!;
  return { id: `call_${step}`, name, arguments: JSON.stringify(args) };
}

function resultsIn({ messages }: ChatCompletionRequest): string[] {
  return messages.flatMap(({ role, content }) => (role === "tool" && typeof content === "string" ? [content] : []));
}

function isDone(request: ChatCompletionRequest): boolean {
  return SCRIPT.at(-1)!.told.test(resultsIn(request).at(-1) ?? "");
}

function scriptModel(): void {
  for (const [step] of SCRIPT.entries()) {
    const isNext = (request: ChatCompletionRequest): boolean => {
      const results = resultsIn(request);
      return results.length === step && results.every((result, i) => SCRIPT[i]!.told.test(result));
    };
    upstream.mock.on({ predicate: isNext }, { toolCalls: [callOf(step)] });
  }
  upstream.mock.on({ predicate: isDone }, { content: "The sum took away what it should add. It is mended." });
}

/** Watches everything that waits for a human, and approves it: the tests for the whole session, all else once. */
async function approveAll(client: Client, asked: Request[], signal: AbortSignal): Promise<void> {
  try {
    for await (const { payload } of client.engine.watchEngine({ topics: [EngineTopic.REQUESTS] }, { signal })) {
      if (payload.case !== "request") continue;
      const request = payload.value;
      asked.push(request);
      const scope = request.permission?.tool === "shell" ? PermissionScope.SESSION : PermissionScope.ONCE;
      await client.permissions.resolvePermission({
        requestId: request.id,
        decision: PermissionDecision.APPROVE,
        scope,
      });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

test("a failing test is found, mended and run again in a repository, with two approvals by a second client", async () => {
  scriptModel();
  const client = createClient({ url: engine.url, token: engine.token });
  const approver = createClient({ url: engine.url, token: engine.token });
  const stop = new AbortController();
  const asked: Request[] = [];
  const approving = approveAll(approver, asked, stop.signal);

  const { session } = await client.sessions.createSession({ profile: "openai", workspace: repository });
  const events: Event[] = [];
  const parts = [{ content: { case: "text" as const, value: "A test fails here. Find out why, and mend it." } }];
  for await (const { payload } of client.messages.sendMessage({ sessionId: session!.id, parts })) {
    if (payload.case === "event") events.push(payload.value);
  }
  stop.abort();
  await approving;

  const payloads = events.map(({ payload }) => payload);
  expect(payloads.flatMap((payload) => (payload.case === "toolCallStarted" ? [payload.value.name] : []))).toEqual(
    SCRIPT.map(({ name }) => name),
  );
  // The second run of the tests is allowed by the rule that the first approval wrote.
  expect(asked.map(({ permission }) => permission?.tool)).toEqual(["shell", "edit_file"]);
  expect(asked[0]!.permission!.arguments).toEqual({ command: "node --test" });
  expect(asked[1]!.permission!.diff).toContain(
    "-export const sum = (...all) => all.reduce((a, b) => a - b, 0);\n+export const sum",
  );
  const changed = payloads.flatMap((payload) => (payload.case === "fileChanged" ? [payload.value.path] : []));
  expect(changed).toEqual(["sum.mjs"]);
  expect(readFileSync(join(repository, "sum.mjs"), "utf8")).toBe(MENDED);
  expect(git("status", "--porcelain")).toBe(" M sum.mjs\n");
  expect(
    payloads.findLast((payload) => payload.case === "messageCompleted")?.value.message?.parts[0]?.content.value,
  ).toBe("The sum took away what it should add. It is mended.");
});
