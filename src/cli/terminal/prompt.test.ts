import { expect, test } from "vitest";
import type { Key } from "./line-editor.ts";
import { createPrompt, type Prompt } from "./prompt.ts";
import { openTypedHistory } from "./typed-history.ts";

const ENTER: Key = { name: "return", sequence: "\r" };
const TAB: Key = { name: "tab", sequence: "\t" };
const NAMES = ["/fork", "/follow-up", "/help"];

function started(lines: readonly string[] = []): { prompt: Prompt; said: string[]; type: (text: string) => void } {
  const history = openTypedHistory({ path: undefined, onFailure: () => undefined });
  for (const line of lines) history.add(line);
  const said: string[] = [];
  const tell = (what: string) => (): void => void said.push(what);
  const prompt = createPrompt({
    history,
    complete: (text) =>
      NAMES.filter((name) => name.startsWith(text)).map((name) => ({ text: name, label: name, hint: "" })),
    listener: {
      onSubmit: (text) => said.push(text),
      onInterrupt: tell("<interrupt>"),
      onEnd: tell("<end>"),
      onSuspend: tell("<suspend>"),
      onClearScreen: tell("<clear>"),
    },
  });
  const type = (text: string): void => {
    for (const sequence of text) prompt.key({ sequence });
  };
  return { prompt, said, type };
}

test("Enter sends, but after a backslash; a text of blanks is not sent", () => {
  const { prompt, said, type } = started();
  type("one\\");
  prompt.key(ENTER);
  type("two");
  prompt.key(ENTER);
  type("  ");
  prompt.key(ENTER);
  expect(said).toEqual(["one\ntwo"]);
});

test("what is pasted keeps its line feeds and sends nothing", () => {
  const { prompt, said } = started();
  prompt.key({ name: "paste-start" });
  for (const sequence of "a\rb\u001B[31mc\u0003\t") prompt.key({ sequence, name: "return" });
  prompt.key({ name: "paste-end" });
  expect(said).toEqual([]);
  prompt.key(ENTER);
  expect(said).toEqual(["a\nb[31mc\t"]);
});

test("a paste of 200 KB is taken", () => {
  const { prompt } = started();
  prompt.key({ name: "paste-start" });
  for (let index = 0; index < 200_000; index++) prompt.key({ sequence: "x" });
  prompt.key({ name: "paste-end" });
  expect(prompt.state.edited.text.length).toBe(200_000);
});

test("Tab fills in what all have in common, then goes through them, and back with Shift", () => {
  const { prompt, type } = started();
  const seen = (): string => prompt.state.edited.text;
  type("/f");
  prompt.key(TAB);
  expect(seen()).toBe("/fo");
  prompt.key(TAB);
  expect(seen()).toBe("/fork");
  prompt.key(TAB);
  expect(seen()).toBe("/follow-up");
  prompt.key({ ...TAB, shift: true });
  expect(seen()).toBe("/fork");
  expect(prompt.state.candidates.length).toBe(2);
});

test("Tab where nothing begins so changes nothing", () => {
  const { prompt, type } = started();
  type("/x");
  prompt.key(TAB);
  expect(prompt.state.edited.text).toBe("/x");
});

test("Ctrl-C empties the line; on an empty one it interrupts; Ctrl-D there ends", () => {
  const { prompt, said, type } = started();
  type("half");
  prompt.key({ name: "c", ctrl: true });
  expect([prompt.state.edited.text, said]).toEqual(["", []]);
  prompt.key({ name: "c", ctrl: true });
  prompt.key({ name: "d", ctrl: true });
  expect(said).toEqual(["<interrupt>", "<end>"]);
});

test("Up and Down go through lines of the text first, then through what was typed before", () => {
  const { prompt } = started(["before", "two\nlines"]);
  const up = { name: "up" };
  prompt.key(up);
  expect(prompt.state.edited.text).toBe("two\nlines");
  prompt.key(up);
  expect([prompt.state.edited.text, prompt.state.edited.cursor]).toEqual(["two\nlines", 3]);
  prompt.key(up);
  expect(prompt.state.edited.text).toBe("before");
});

test("Ctrl-R finds; Enter sends what was found, Escape keeps it to be changed, Ctrl-G drops it", () => {
  const search = { name: "r", ctrl: true };
  const { prompt, said, type } = started(["make tea", "other"]);
  prompt.key(search);
  type("tea");
  expect(prompt.state.search).toMatchObject({ text: "tea", found: "make tea" });
  prompt.key({ name: "g", ctrl: true });
  expect(prompt.state.edited.text).toBe("");
  prompt.key(search);
  type("tea");
  prompt.key({ name: "escape", sequence: "\u001B" });
  expect(prompt.state.edited.text).toBe("make tea");
  prompt.key(search);
  type("oth");
  prompt.key(ENTER);
  expect(said).toEqual(["other"]);
});
