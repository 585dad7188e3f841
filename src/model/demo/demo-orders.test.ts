import { describe, expect, test } from "vitest";
import { readOrders } from "./demo-orders.ts";

/** Step by step, the calls that are asked for: name and arguments. */
function stepsOf(message: string, file?: string): unknown[][] {
  return readOrders(message, file).steps.map((step) => step.map(({ tool, args }) => [tool, args]));
}

test.for<[string, string, object]>([
  ["list the files", "list_files", {}],
  ["Could you list the files in src, please?", "list_files", { path: "src" }],
  ["show me the files in `my docs` recursively", "list_files", { path: "my docs", depth: 10 }],
  ["what is in the folder?", "list_files", {}],
  ["what is in hello.txt?", "read_file", { path: "hello.txt" }],
  ["What's in README", "read_file", { path: "README" }],
  ["read src/über uns.md", "read_file", { path: "src/über" }],
  ["what does 'my notes.txt' say?", "read_file", { path: "my notes.txt" }],
  ["show me .gitignore", "read_file", { path: ".gitignore" }],
  [
    "write a file named hello.txt that says Hello, world.",
    "write_file",
    { path: "hello.txt", content: "Hello, world\n" },
  ],
  ['create src/a.js with "const a = 1;"', "write_file", { path: "src/a.js", content: "const a = 1;\n" }],
  [
    "write a.md that says:\n# Title\n\nlist the files, and stop.\n",
    "write_file",
    { path: "a.md", content: "# Title\n\nlist the files, and stop.\n" },
  ],
  ["make an empty file called a.txt", "write_file", { path: "a.txt", content: "" }],
  ["put 日本語 into note.txt", "write_file", { path: "note.txt", content: "日本語\n" }],
  ["change Hello to Goodbye in hello.txt", "edit_file", { path: "hello.txt", old_text: "Hello", new_text: "Goodbye" }],
  ['in a.txt, replace "x to y" with "z"', "edit_file", { path: "a.txt", old_text: "x to y", new_text: "z" }],
  [
    "replace foo with bar everywhere in a.txt",
    "edit_file",
    { path: "a.txt", old_text: "foo", new_text: "bar", replace_all: true },
  ],
  ["find files named *.ts", "glob", { pattern: "*.ts" }],
  ["search for f(x) in src/", "grep", { pattern: String.raw`f\(x\)`, path: "src/" }],
  ["run `ls -l`", "shell", { command: "ls -l" }],
  ["run: git status", "shell", { command: "git status" }],
  ["run `a; list the files and b`", "shell", { command: "a; list the files and b" }],
  ["run `sleep 60` in the background", "shell", { command: "sleep 60", background: true }],
  ["delete hello.txt", "shell", { command: "rm hello.txt" }],
  ["delete 'it is; mine.txt'", "shell", { command: "rm 'it is; mine.txt'" }],
  ["delete -rf.txt", "shell", { command: "rm ./-rf.txt" }],
  ["fetch https://example.com/a?b=1.", "fetch_url", { url: "https://example.com/a?b=1" }],
  ["ask the agent reviewer to look at it", "run_agent", { agent: "reviewer", task: "look at it" }],
  ["ask me: which way?", "ask_human", { question: "which way?" }],
  ["what time is it?", "now", {}],
])("%s", ([message, tool, args]) => {
  expect(stepsOf(message)).toEqual([[[tool, args]]]);
});

test.for([
  "hello",
  "write 400 words",
  "count to 5, slowly",
  "what is love?",
  "run the tests",
  "I read a book and list nothing",
  "change the file",
  "the words list the files stand in the middle",
  "",
])("no call is asked for by %j", (message) => {
  expect(readOrders(message)).toEqual({ steps: [], rest: message });
});

test("something to choose from, a form and a plan are asked for with all that they need", () => {
  expect(stepsOf("ask me to choose between tea, coffee and milk")).toEqual([
    [["ask_human", { question: "Which one shall it be?", options: ["tea", "coffee", "milk"] }]],
  ]);
  expect(stepsOf("ask me to fill in a form")).toMatchObject([
    [["ask_human", { form: { required: ["name", "drink"] } }]],
  ]);
  const plan = [{ state: "in_progress" }, { text: "Tidy up", state: "pending" }, { state: "pending" }];
  expect(stepsOf("make a plan to tidy up")).toMatchObject([[["todo", { items: plan }]]]);
});

const names = (message: string) => readOrders(message).steps.map((step) => step.map(({ tool }) => tool).join(" "));

describe("several things", () => {
  test("are made at once, but for what is said to come later", () => {
    expect(names("list the files, run `ls` and ask me something")).toEqual(["list_files shell ask_human"]);
    expect(names("list the files, then run `ls`. After that read a.txt")).toEqual(["list_files", "shell", "read_file"]);
  });

  test("about one file wait for each other; it is the file that was spoken of last", () => {
    const path = "a.txt";
    expect(stepsOf("write a.txt that says one and change one to two in it and read it")).toEqual([
      [["write_file", { path, content: "one\n" }]],
      [["edit_file", { path, old_text: "one", new_text: "two" }]],
      [["read_file", { path }]],
    ]);
    expect(stepsOf("read it", "before.txt")).toEqual([[["read_file", { path: "before.txt" }]]]);
    expect(stepsOf("read it")).toEqual([]);
  });

  test("leave the words of how to do it", () => {
    const { rest } = readOrders("slowly list the files, then write stall.txt that says fail, as fast as you can");
    expect(rest).toContain("slowly");
    expect(rest).not.toContain("stall");
    expect(rest).not.toContain("fail");
  });
});

test("a very long message is not searched", () => {
  expect(readOrders(`list the files ${"and change ".repeat(100_000)}`).steps).toEqual([]);
});

test("a text that fits nothing is read to its end: whoever tried all of its parts would never come there", () => {
  for (const part of ["change a to ", "write ", "in ", "`", "list, ", "and then "])
    expect(readOrders(part.repeat(330).slice(0, 4000)).steps).toBeInstanceOf(Array);
});
