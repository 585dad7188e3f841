import type { Command, Option } from "commander";

/** What could stand where the cursor is. */
export type Completion =
  | { readonly kind: "words"; readonly words: readonly CompletedWord[] }
  | { readonly kind: "sessions" | "profiles" | "requests" | "files" | "nothing" };

export interface CompletedWord {
  readonly text: string;
  readonly hint: string;
}

/** Reads the commands themselves, so that it knows every command and option there is. The last word is the one being typed. */
export function completionOf(program: Command, typed: readonly string[]): Completion {
  const before = typed.slice(0, -1);
  const current = typed.at(-1) ?? "";
  let command = program;
  let given = 0;
  let hasEnded = false;
  for (let at = 0; at < before.length; at++) {
    const word = before[at] ?? "";
    if (word === "--") hasEnded = true;
    else if (!hasEnded && word.startsWith("-")) {
      const option = findOption(command, word);
      if (option === undefined || option.isBoolean() || word.includes("=")) continue;
      if (at === before.length - 1) return valueOf(option);
      at++;
    } else {
      const next = command.commands.find((one) => one.name() === word);
      if (next === undefined) given++;
      else command = next;
    }
  }
  if (current.startsWith("-") && !hasEnded) return { kind: "words", words: optionsOf(command) };
  return command.commands.length > 0 ? subcommandsOf(command) : argumentOf(command, given);
}

function withParents(command: Command): Command[] {
  return command.parent === null ? [command] : [command, ...withParents(command.parent)];
}

function findOption(command: Command, word: string): Option | undefined {
  const name = word.split("=")[0];
  return withParents(command)
    .flatMap((one) => one.options)
    .find((option) => option.long === name || option.short === name);
}

function optionsOf(command: Command): CompletedWord[] {
  const own = withParents(command).flatMap((one) => one.options.filter((option) => !option.hidden));
  const words = own.map(({ long, short, description }) => ({ text: long ?? short ?? "", hint: description }));
  return [...words, { text: "--help", hint: "print the help" }];
}

function subcommandsOf(command: Command): Completion {
  const shown = command.createHelp().visibleCommands(command);
  return { kind: "words", words: shown.map((one) => ({ text: one.name(), hint: one.description() })) };
}

function valueOf({ argChoices, flags }: Option): Completion {
  return argChoices === undefined ? byName(flags) : choices(argChoices);
}

function argumentOf(command: Command, given: number): Completion {
  const all = command.registeredArguments;
  const last = all.at(-1);
  const argument = all[given] ?? (last?.variadic === true ? last : undefined);
  if (argument === undefined) return { kind: "nothing" };
  return argument.argChoices === undefined ? byName(argument.name()) : choices(argument.argChoices);
}

function choices(values: readonly string[]): Completion {
  return { kind: "words", words: values.map((text) => ({ text, hint: "" })) };
}

/** What is to be filled in is named for what it is. */
function byName(name: string): Completion {
  if (/session/.test(name)) return { kind: "sessions" };
  if (/request/.test(name)) return { kind: "requests" };
  if (/profile/.test(name)) return { kind: "profiles" };
  return /file|path|backup|output|dir/.test(name) ? { kind: "files" } : { kind: "nothing" };
}
