/** A file that must not be imported, and the line that says why. */
export interface BadImport {
  readonly what: string;
  readonly file: string | Buffer;
  readonly line: number;
}

const usage = { inputTokens: 3, outputTokens: 4, reasoningTokens: 1, cachedInputTokens: 2, modelCalls: 1 };

const session = {
  id: "ses_a",
  title: "Ünïcode 🦜",
  profile: "demo",
  model: "",
  systemPrompt: "",
  workspace: "/somewhere",
  labels: { a: "1", "": "" } as Record<string, unknown>,
  limits: { maxSteps: 50, maxTokens: 0, maxWorkingTimeMs: 1000, maxSilenceMs: 1000, maxSilenceBeforeFirstMs: 1000 },
  starred: true,
  resumeAfterRestart: false,
  retryPartial: true,
  approvalMode: "plan",
  forkedFrom: "",
  usage,
  createTimeMs: 1000,
  updateTimeMs: 2000,
};
session.labels = { a: "1", é: "" };

const said = { id: "msg_1", turnId: "turn_1", role: "user", status: "complete", createTimeMs: 1000 };
const user = { ...said, parts: [{ kind: "text", text: "hello \u0000 \u2028 🦜" }] };
const call = {
  kind: "tool_call",
  callId: "call_1",
  providerCallId: "p",
  name: "now",
  arguments: { zone: ["UTC", 1e21] },
};
const answer = {
  ...said,
  id: "msg_2",
  role: "assistant",
  model: "m",
  usage,
  parts: [{ kind: "text", text: "hm" }, call],
};
const result = { kind: "tool_result", callId: "call_1", outcome: "failed", text: "" };
const told = { ...said, id: "msg_3", role: "tool", parts: [result] };
const cut = { ...said, id: "msg_4", turnId: "", role: "assistant", status: "interrupted", parts: [] };

const head = { format: "parley.sessions", version: 1 };
const end = { end: { sessions: 2, messages: 4 } };

/** Two sessions with four messages. */
const good: readonly object[] = [
  head,
  { session },
  { message: user },
  { message: answer },
  { message: told },
  { session: { ...session, id: "ses_b", title: "", forkedFrom: "ses_a" } },
  { message: cut },
  end,
];

/** The lines of a file that can be imported. */
export const goodLines: readonly string[] = good.map((line) => JSON.stringify(line));

/** The file with one line replaced; lines count from 1. */
function withLine(number: number, line: unknown): string {
  const text = typeof line === "string" ? line : JSON.stringify(line);
  return goodLines.map((known, i) => (i === number - 1 ? text : known)).join("\n");
}

const changedSession = (changes: object): string => withLine(2, { session: { ...session, ...changes } });
const changedMessage = (changes: object): string => withLine(3, { message: { ...user, ...changes } });
const withPart = (part: unknown): string => withLine(4, { message: { ...answer, parts: [part] } });
const without = (name: keyof typeof session): string => changedSession({ [name]: undefined });

function nested(levels: number): object {
  let value: object = {};
  for (let i = 0; i < levels; i++) value = { a: value };
  return value;
}

const at = (line: number, files: Readonly<Record<string, string | Buffer>>): BadImport[] =>
  Object.entries(files).map(([what, file]) => ({ what, file, line }));

export const badImports: readonly BadImport[] = [
  ...at(1, {
    "nothing at all": "",
    "an image": Buffer.from("\x89PNG\r\n\x1a\n\0\0\0", "latin1"),
    "a list": "[]",
    "another format": withLine(1, { format: "other.sessions", version: 1 }),
    "no version": withLine(1, { format: "parley.sessions" }),
    "an unknown version": withLine(1, { ...head, version: 2 }),
    "a version that is a text": withLine(1, { ...head, version: "1" }),
    "no first line": goodLines.slice(1).join("\n"),
    "the first line alone": goodLines[0] ?? "",
  }),
  ...at(2, {
    "half a line": (goodLines[0] ?? "") + "\n" + (goodLines[1] ?? "").slice(0, 50),
    "bytes that are no UTF-8": Buffer.concat([Buffer.from(`${goodLines[0]}\n{"session":"`), Buffer.from([0xff, 0xfe])]),
    "a message of no session": [goodLines[0], goodLines[2]].join("\n"),
    "a line of no kind": withLine(2, {}),
    "a line of two kinds": withLine(2, { session, message: user }),
    "an unknown kind of line": withLine(2, { turn: {} }),
    "a line that is null": withLine(2, "null"),
    "a session that is a list": withLine(2, { session: [] }),
    "a session without an id": without("id"),
    "a session without limits": without("limits"),
    "an id that is a path": changedSession({ id: "../../x" }),
    "a mode that there is not": changedSession({ approvalMode: "anything_goes" }),
    "an id that is empty": changedSession({ id: "" }),
    "an id that is too long": changedSession({ id: "x".repeat(65) }),
    "an id with a quote": changedSession({ id: 'a"b' }),
    "an unknown field": changedSession({ secret: "x" }),
    "a field called __proto__": withLine(2, `{"session":${JSON.stringify(session).replace("{", '{"__proto__":{},')}}`),
    "a title of 10,000 characters": changedSession({ title: "x".repeat(10_000) }),
    "a title that is a number": changedSession({ title: 1 }),
    "a system prompt that is too long": changedSession({ systemPrompt: "é".repeat(140_000) }),
    "labels that are a list": changedSession({ labels: [] }),
    "a label that is a number": changedSession({ labels: { a: 1 } }),
    "a label without a name": changedSession({ labels: { "": "x" } }),
    "a label with a long name": changedSession({ labels: { ["x".repeat(65)]: "" } }),
    "too many labels": changedSession({ labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, ""])) }),
    "a limit of no steps": changedSession({ limits: { ...session.limits, maxSteps: 0 } }),
    "a limit that is not whole": changedSession({ limits: { ...session.limits, maxTokens: 1.5 } }),
    "a star that is a number": changedSession({ starred: 1 }),
    "a time before 1970": changedSession({ createTimeMs: -1 }),
    "a time after 9999": changedSession({ updateTimeMs: 1e15 }),
    "usage that is negative": changedSession({ usage: { ...usage, inputTokens: -1 } }),
    "usage beyond counting": changedSession({ usage: { ...usage, inputTokens: 2 ** 60 } }),
    "a line that is too long": withLine(2, " ".repeat(9 << 20)),
    "a line of brackets": withLine(2, "[".repeat(1 << 20)),
  }),
  ...at(3, {
    "a role that there is not": changedMessage({ role: "root" }),
    "a role that is no text": changedMessage({ role: ["user"] }),
    "a message that is still being made": changedMessage({ status: "streaming" }),
    "a message without parts": changedMessage({ parts: undefined }),
    "parts that are a text": changedMessage({ parts: "hello" }),
    "a user who calls tools": changedMessage({ parts: [call] }),
    "a tool that says nothing": changedMessage({ role: "tool", parts: [] }),
    "a tool that answers twice": changedMessage({ role: "tool", parts: [result, result] }),
    "more than a message holds": changedMessage({ parts: [{ kind: "text", text: "x".repeat((1 << 20) + 1) }] }),
    "the end in the middle": withLine(3, { end: { sessions: 1, messages: 0 } })
      .split("\n")
      .slice(0, 4)
      .join("\n"),
  }).map((bad) => (bad.what === "the end in the middle" ? { ...bad, line: 4 } : bad)),
  ...at(4, {
    "a part of no kind": withPart({ text: "x" }),
    "a part of an unknown kind": withPart({ kind: "image", url: "x" }),
    "a part that is null": withPart(null),
    "a text that is a number": withPart({ kind: "text", text: 1 }),
    "a text with more than its text": withPart({ kind: "text", text: "x", html: true }),
    "a call without arguments": withPart({ ...call, arguments: undefined }),
    "a call whose arguments are a list": withPart({ ...call, arguments: [] }),
    "a call whose arguments are too deep": withPart({ ...call, arguments: nested(31) }),
    "a call whose arguments no JSON can tell": withPart(call).replace("1e+21", "1e999"),
    "a result of an assistant": withPart(result),
    "usage without a field": withLine(4, { message: { ...answer, usage: { inputTokens: 1 } } }),
    "a message that comes twice": withLine(4, { message: user }),
  }),
  ...at(6, { "a session that comes twice": withLine(6, { session }) }),
  ...at(7, { "a message that comes twice, of another session": withLine(7, { message: user }) }),
  ...at(8, {
    "an end that counts more": withLine(8, { end: { sessions: 2, messages: 5 } }),
    "an end that counts less": withLine(8, { end: { sessions: 1, messages: 4 } }),
    "an end without counts": withLine(8, { end: {} }),
  }),
  ...at(9, {
    "something after the end": [...goodLines, goodLines[1]].join("\n"),
    "two files in one": [...goodLines, ...goodLines].join("\n"),
  }),
];
