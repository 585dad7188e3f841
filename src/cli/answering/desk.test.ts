import { create, type JsonObject } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, test } from "vitest";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import {
  CheckDecision,
  EventSchema,
  PermissionDecision,
  type Request,
  RequestKind,
  RequestSchema,
  RequestState,
  Risk,
} from "../../client/client.ts";
import { createOutput } from "../output.ts";
import type { Key } from "../terminal/line-editor.ts";
import { createDesk, type Desk } from "./desk.ts";
import type { Judgement, Reply } from "./reply.ts";

const ROOM = { columns: 80, rows: 20 };
const stream = { isTTY: true, columns: 80, write: () => true } as unknown as NodeJS.WriteStream;
const output = createOutput(stream, { color: false, env: {} });
const Y: Key = { sequence: "y", name: "y" };
const CTRL_C: Key = { sequence: "\u0003", name: "c", ctrl: true };

let clock: ReturnType<typeof createFakeClock>;
let desk: Desk;
let sent: { readonly id: string; readonly reply: Reply }[];
let refuse: string | undefined;
let notes: string[];
let judge: (args: JsonObject) => Promise<Judgement>;
beforeEach(() => {
  clock = createFakeClock();
  sent = [];
  notes = [];
  refuse = undefined;
  judge = async () => ({ risk: Risk.SAFE, reason: "it is harmless" });
  desk = createDesk({
    output,
    clock,
    show: () => undefined,
    edit: () => undefined,
    sessionId: () => "ses_1",
    refresh: () => undefined,
    note: (text) => void notes.push(text),
    judge: async (_request, args) => judge(args),
    async send({ id }, reply) {
      if (refuse !== undefined) throw new Error(refuse);
      sent.push({ id, reply });
    },
  });
});

function call(id: string, command: string, more: { readonly sessionId?: string } = {}): Request {
  return create(RequestSchema, {
    id,
    sessionId: "ses_1",
    kind: RequestKind.PERMISSION,
    state: RequestState.OPEN,
    permission: { tool: "shell", arguments: { command }, reason: "why" },
    ...more,
  });
}
const seen = (typed = ""): string => desk.draw(ROOM, typed)?.lines.join("\n") ?? "";

/** Draws, and waits until a key is taken as an answer. */
async function settle(typed = ""): Promise<string> {
  seen(typed);
  await clock.advance(1000);
  return seen(typed);
}

test("each request comes up alone, the oldest first, and says how many there are", async () => {
  desk.take([call("r1", "one"), call("r2", "two")]);
  expect(await settle()).toContain("1 of 2\nRun this command?\n  │ one");
  expect(desk.key(Y, "")).toBe(true);
  await clock.advance(0);
  expect(sent).toEqual([{ id: "r1", reply: { kind: "permission", decision: PermissionDecision.APPROVE } }]);
  expect(seen()).toContain("│ two");
  expect(seen()).not.toContain(" of ");
});

test("keys are shown only when they count; until then they are typed", async () => {
  desk.take([call("r1", "one")]);
  expect(seen()).not.toContain("y once");
  expect(desk.key(Y, "")).toBe(false);
  expect(await settle("y")).toContain("Tab answers");
  expect(desk.key(Y, "y")).toBe(false);
  expect(sent).toEqual([]);
  expect(desk.key({ name: "tab", sequence: "\t" }, "y")).toBe(true);
  expect(seen("y")).toContain("y once");
});

test("what is pasted is no answer", async () => {
  desk.take([call("r1", "one")]);
  await settle();
  for (const key of [{ name: "paste-start" }, Y, { name: "paste-end" }]) expect(desk.key(key, "")).toBe(false);
  expect(sent).toEqual([]);
});

test("an answer that is refused leaves the request open, and says why; another one counts", async () => {
  desk.take([call("r1", "one")]);
  await settle();
  refuse = "a deny rule speaks against it";
  desk.key(Y, "");
  await clock.advance(1000);
  expect(seen()).toContain("a deny rule speaks against it");
  expect(desk.isOwn("r1")).toBe(false);
  refuse = undefined;
  await clock.advance(1000);
  desk.key(Y, "");
  await clock.advance(0);
  expect(sent).toHaveLength(1);
  expect(desk.isOwn("r1")).toBe(true);
  expect(desk.draw(ROOM, "")).toBeUndefined();
});

test("Ctrl-C goes to what is typed, and answers nothing", async () => {
  desk.take([call("r1", "one")]);
  await settle();
  expect(desk.key(CTRL_C, "")).toBe(true);
  expect(notes[0]).toContain("nothing was answered");
  // The second one is for the turn.
  expect(desk.key(CTRL_C, "")).toBe(false);
  expect(desk.open).toHaveLength(1);
});

test("Escape goes to what is typed, and back; never from what one has begun to type", async () => {
  const escape: Key = { sequence: "\u001B", name: "escape" };
  desk.take([call("r1", "one")]);
  expect(await settle()).toContain("y once");
  expect(desk.key(escape, "")).toBe(true);
  expect(seen()).toContain("Tab answers");
  expect(desk.key(escape, "half a line")).toBe(false);
  expect(seen("half a line")).toContain("Tab answers");
  expect(desk.key(escape, "")).toBe(true);
  expect(seen()).toContain("y once");
  desk.key(Y, "");
  await clock.advance(0);
  expect(sent).toHaveLength(1);
});

test("a request that ends elsewhere goes, also while it is being answered", async () => {
  const request = call("r1", "one");
  desk.take([request]);
  await settle();
  desk.key({ sequence: "r", name: "r" }, "");
  expect(seen()).toContain("Why not?");
  const resolved = { ...request, state: RequestState.ANSWERED };
  desk.see(create(EventSchema, { payload: { case: "requestResolved", value: { request: resolved } } }));
  expect(desk.draw(ROOM, "")).toBeUndefined();
  expect(desk.key(Y, "")).toBe(false);
});

test("a slash begins a command", async () => {
  desk.take([call("r1", "one")]);
  await settle();
  expect(desk.key({ sequence: "/" }, "")).toBe(false);
  expect(sent).toEqual([]);
});

test("a command of many lines stays within the screen, with a word how to see the rest", async () => {
  desk.take([call("r1", Array.from({ length: 100 }, (_, line) => `line ${line}`).join("\n"))]);
  const lines = (await settle()).split("\n");
  expect(lines.length).toBeLessThanOrEqual(ROOM.rows);
  expect(lines.join("\n")).toContain("more lines: v shows all of it");
  expect(lines.at(-1)).toContain("y once");
});

test("what a hook says stands apart from a reason that is long", async () => {
  const reason = `${"it writes here and there and everywhere ".repeat(20)}; the hook guard could not be asked: it ended with code 3`;
  const request = call("r1", "one");
  desk.take([{ ...request, permission: { ...request.permission!, reason } }]);
  const shown = await settle();
  expect(shown).toContain("… v shows all of it\n  ! the hook guard could not be asked: it ended with code 3\n");
});

test("what a session below this one asks says whose it is", async () => {
  desk.take([call("r1", "one", { sessionId: "ses_2" })]);
  expect(await settle()).toContain("asked by a sub-agent, ses_2");
});

test("in a narrow window the keys are shown over several rows, all of them", async () => {
  desk.take([call("r1", "one")]);
  await settle();
  const rows = desk.draw({ columns: 30, rows: 20 }, "")?.lines ?? [];
  expect(Math.max(...rows.map((row) => row.length))).toBeLessThan(30);
  expect(rows.slice(-3)).toEqual(["y once · n no · a always", "e edit · r no, because …", "? help"]);
});

function press(text: string): void {
  for (const sequence of text.split("")) desk.key({ sequence }, "");
}

/** Changes the command of a call that is asked about. */
async function edit(): Promise<void> {
  desk.take([call("r1", "one")]);
  await settle();
  press("e");
  press(" two");
  desk.key({ name: "return", sequence: "\r" }, "");
  await clock.advance(0);
}

describe("a call that was edited", () => {
  test("is shown as it is now, with what the engine says of it, before it can be let run", async () => {
    const { promise, resolve } = Promise.withResolvers<Judgement>();
    judge = () => promise;
    await edit();
    expect(seen()).toContain("(as you edited it)\n  │ one two\n  it is being judged …");
    expect(seen()).not.toContain("y once");
    press("y");
    expect(seen()).toContain("it is being judged, one moment");
    expect(sent).toEqual([]);
    resolve({ risk: Risk.DESTRUCTIVE, reason: "it removes files" });
    await clock.advance(0);
    press(" ");
    expect(seen()).toContain("│ one two\n  destructive: it removes files");
    press("y");
    await clock.advance(0);
    expect(sent).toMatchObject([{ reply: { args: { command: "one two" } } }]);
  });

  test("says what would be denied, and what could not be judged", async () => {
    judge = async () => ({ risk: Risk.EDIT, reason: "a rule denies it", decision: CheckDecision.DENY });
    await edit();
    expect(seen()).toContain("edit: it would be denied: a rule denies it");
    judge = async () => Promise.reject(new Error("the engine is away"));
    await edit();
    expect(seen()).toContain("nobody could say how dangerous it is: the engine is away");
  });
});
