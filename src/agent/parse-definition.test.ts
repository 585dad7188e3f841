import { expect, test } from "vitest";
import { parseDefinition } from "./parse-definition.ts";

const KNOWN = {
  hasTool: (name: string): boolean => ["now", "grep", "read_file"].includes(name),
  hasProfile: (name: string): boolean => name === "demo",
};

const parse = (text: string, name = "reviewer") => parseDefinition(text, name, KNOWN);
const errorOf = (...settings: string[]): string => parse(["---", ...settings, "---", "Do it."].join("\n")).error;

test("a definition says all that a session can be made with, and its instructions", () => {
  const text = [
    "---",
    "name: reviewer",
    "description: Reads a change and says what is wrong in it",
    "profile: demo",
    "model: small",
    "tools: [now, grep]",
    "mode: read-only",
    "agents:",
    "  - helper",
    "limits:",
    "  max_steps: 10",
    "  max_working_time: 5m",
    "---",
    "",
    "Read it.",
    "Say it.",
    "",
  ].join("\n");
  expect(parse(text.replace("read-only", "plan"))).toEqual({
    description: "Reads a change and says what is wrong in it",
    instructions: "Read it.\nSay it.",
    profile: "demo",
    model: "small",
    tools: ["now", "grep"],
    approvalMode: "plan",
    agents: ["helper"],
    limits: { maxSteps: 10, maxWorkingTimeMs: 300_000 },
    error: "",
  });
  expect(parse(text).error).toMatch(/^line 7: mode: must be one of confirm_all, default/);
});

test("lists may be written in one line, with commas; no list is another thing than an empty one", () => {
  expect(parse("---\ndescription: d\ntools: now, grep\n---\n").tools).toEqual(["now", "grep"]);
  expect(parse("---\ndescription: d\ntools: []\n---\n").tools).toEqual([]);
  expect(parse("---\ndescription: d\n---\n").tools).toBeUndefined();
});

test("files of other systems are read: a mark of the byte order, and lines that end in CR LF", () => {
  expect(parse("\uFEFF---\r\ndescription: d\r\nmode: plan\r\n---\r\nOne.\r\nTwo.\r\n")).toMatchObject({
    description: "d",
    approvalMode: "plan",
    instructions: "One.\nTwo.",
    error: "",
  });
});

test.each([
  [
    "an unknown setting",
    ["description: d", "colour: red"],
    "line 3: colour: is not known; known are name, description",
  ],
  ["an unknown limit", ["description: d", "limits:", "  steps: 3"], "line 4: steps: is not known; known are max_steps"],
  ["another name", ["name: other", "description: d"], "line 2: name: must be reviewer, as the file is named"],
  ["no description", ["model: m"], "line 1: description: is missing; say in a line what the agent is for"],
  ["an empty description", ["description: ''"], "line 2: description: must be a text; put it in quotes"],
  ["a number as a text", ["description: 42"], "line 2: description: must be a text; put it in quotes"],
  [
    "a tool that there is not",
    ["description: d", "tools:", "  - now", "  - nuke"],
    'line 3: tools: there is no tool "nuke"',
  ],
  ["a profile that there is not", ["description: d", "profile: x"], 'line 3: profile: there is no profile "x"'],
  [
    "a list in a list",
    ["description: d", "tools:", "  - now", "  - [a]"],
    "line 5: tools: each entry must be a name; put it in quotes",
  ],
  ["a map as a list", ["description: d", "tools:", "  a: b"], "line 3: tools: must be a list of names"],
  [
    "MCP servers",
    ["description: d", "mcp_servers: [x]"],
    "line 3: mcp_servers: this engine has no MCP servers; leave it out",
  ],
  [
    "an agent's name that leads elsewhere",
    ["description: d", "agents: [../x]"],
    'line 3: agents: "../x" is no name of an agent',
  ],
  [
    "no steps",
    ["description: d", "limits: {max_steps: 0}"],
    "line 3: max_steps: must be a whole number from 1 to 10000",
  ],
  [
    "a span without a unit",
    ["description: d", "limits: {max_silence: 5}"],
    "line 3: max_silence: must be a span such as 90s, 30m or 2h, at most 1h",
  ],
  ["the same name twice", ["description: d", "description: e"], "line 3: Map keys must be unique"],
  ["a list at the top", ["- a"], "line 2: settings: write it as lines of `name: value`"],
  ["a name that is none", ["description: d", "[a]: b"], "line 2: settings: each name must be a plain word"],
])("%s is told with its line", (_what, settings, error) => {
  expect(errorOf(...settings)).toContain(error);
});

test("what is no YAML, and what refers to other places, is told with its line", () => {
  expect(errorOf("description: d", "tools: [now", "model: m")).toMatch(/^line [34]: /);
  expect(errorOf("description: &a d", "model: *a")).toBe("line 3: model: must be a text; put it in quotes");
  expect(errorOf("description: !!js/function 'f'")).toMatch(/^line 2: /);
  expect(errorOf("\tdescription: d")).toMatch(/^line 2: /);
});

test("references that multiply are not followed: they would never end", () => {
  const lines = [
    "a: &a [x,x,x,x,x,x,x,x,x]",
    ...Array.from("bcdefghi", (c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefghi"[i]}`).join()}]`),
  ];
  expect(errorOf(...lines)).toContain("line 2: a: is not known");
});

test("a file without settings, or with settings that do not end, is told what is missing", () => {
  expect(parse("").error).toBe("line 1: the file must begin with a line --- and its settings");
  expect(parse("Just do it.").error).toBe("line 1: the file must begin with a line --- and its settings");
  expect(parse("---\ndescription: d\n").error).toBe(
    "line 3: the settings do not end; a line --- is missing after them",
  );
});

test("a name of an object's own is no setting", () => {
  expect(errorOf("description: d", "constructor: x")).toContain("line 3: constructor: is not known");
  expect(errorOf("description: d", "__proto__: x")).toContain("line 3: __proto__: is not known");
});

test("all that is wrong is told at once, each with its line", () => {
  const settings = ["descripton: d", "mode: yolo", "limits:", "  max_steps: 0", "  max_wait: 1h", "tools: [nothing]"];
  expect(errorOf(...settings).replaceAll(/(?<=is not known); known are [^;]*|(?<=be one of)[^;]*/g, "")).toBe(
    'line 2: descripton: is not known; line 3: mode: must be one of; line 5: max_steps: must be a whole number from 1 to 10000; line 6: max_wait: is not known; line 7: tools: there is no tool "nothing"; line 1: description: is missing; say in a line what the agent is for',
  );
});
