import { Command } from "commander";
import { expect, test } from "vitest";
import { GROUPS, groupsFor, type Group } from "./groups.ts";

function commandsOf(groups: readonly Group[]): string[] {
  const program = new Command();
  for (const { add } of groups) add(program, async () => {});
  return program.commands.map((command) => command.name());
}

test.each(GROUPS.filter(({ words }) => words.length > 0))(
  "the group of $words has these commands and no other",
  (group) => {
    expect(commandsOf([group]).toSorted()).toEqual(group.words.toSorted());
  },
);

test.each(GROUPS.flatMap(({ words }) => words))("%s finds itself among the commands that are made for it", (word) => {
  expect(commandsOf(groupsFor([word, "--help"]))).toContain(word);
});

test.each([
  ["nothing", []],
  ["help", ["help", "serve"]],
  ["the help", ["--help"]],
  ["the completion, which completes all of them", ["complete", "parley", "ser"]],
  ["a word that is misspelt, for what is suggested instead", ["sesions", "list"]],
  ["an option's value that reads like a command", ["--url", "chat", "status"]],
])("all commands are made for %s", (_what, args) => {
  expect(groupsFor(args)).toBe(GROUPS);
});
