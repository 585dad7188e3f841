import { Argument, Command, Option } from "commander";
import { expect, test } from "vitest";
import { completionOf } from "./completion-words.ts";

const program = new Command("parley").option("--data-dir <path>", "where").option("--json", "as JSON");
const sessions = program.command("sessions").description("find them");
sessions
  .command("list")
  .addOption(new Option("--order <order>", "how").choices(["newest", "title"]))
  .option("--profile <name>", "of whom");
sessions.command("show <session>").option("-o, --output <file>", "where to");
sessions.command("star <sessions...>");
program.command("shell").addArgument(new Argument("<shell>").choices(["bash", "zsh"]));
program.command("secret", { hidden: true });

const texts = (...typed: readonly string[]): string[] | string => {
  const found = completionOf(program, typed);
  return found.kind === "words" ? found.words.map(({ text }) => text) : found.kind;
};

test("offers commands, but none that is hidden, with what they do", () => {
  expect(texts("")).toEqual(["sessions", "shell", "help"]);
  expect(completionOf(program, ["se"])).toMatchObject({ words: [{ text: "sessions", hint: "find them" }, {}, {}] });
  expect(texts("sessions", "")).toEqual(["list", "show", "star", "help"]);
});

test("offers a command's options, and those of the commands above it", () => {
  expect(texts("sessions", "list", "--")).toEqual(["--order", "--profile", "--data-dir", "--json", "--help"]);
});

test("knows which option wants a value, and which", () => {
  expect(texts("sessions", "list", "--order", "")).toEqual(["newest", "title"]);
  expect(texts("sessions", "list", "--profile", "")).toBe("profiles");
  expect(texts("--data-dir", "")).toBe("files");
  expect(texts("sessions", "show", "x", "-o", "")).toBe("files");
  // The value of one is no command, and after a switch comes no value.
  expect(texts("--data-dir", "shell", "sess")).toContain("sessions");
  expect(texts("--json", "shell", "")).toEqual(["bash", "zsh"]);
});

test("knows what an argument is, and how many there are", () => {
  expect(texts("sessions", "show", "")).toBe("sessions");
  expect(texts("sessions", "show", "one", "")).toBe("nothing");
  expect(texts("sessions", "star", "one", "two", "")).toBe("sessions");
  expect(texts("sessions", "star", "--", "-")).toBe("sessions");
});
