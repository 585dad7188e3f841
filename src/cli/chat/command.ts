import { randomUUID } from "node:crypto";
import type { Chat, Room } from "./state.ts";
import { UsageError } from "../failure.ts";

/** What a line that begins with a slash does. */
export interface ChatCommand {
  /** With its slash. */
  readonly name: string;
  /** What follows it, as the help shows it: CAPITALS for what is to be filled in, [] around what may be left out. */
  readonly argument: string;
  readonly hint: string;
  /** Goes to another session: what was typed before is said in this one, so it is never overtaken. */
  readonly isMove?: boolean;
  run(chat: Chat, argument: string): Promise<void> | void;
  /** What may follow, for Tab. */
  readonly choices?: (chat: Chat) => readonly { readonly text: string; readonly hint: string }[];
}

/** A name with what follows it; undefined where the line is something to say, such as a path, or begins with a space. */
export function parseCommand(line: string): { readonly name: string; readonly argument: string } | undefined {
  const found = /^(?<name>\/[a-z-]+)(?:\s+(?<argument>[^]*))?$/i.exec(line.trimEnd());
  if (found?.groups === undefined) return undefined;
  return { name: (found.groups["name"] ?? "").toLowerCase(), argument: (found.groups["argument"] ?? "").trim() };
}

export function roomOf({ room }: Chat): Room {
  if (room === undefined) throw new UsageError("there is no session yet; say something first, or see /sessions");
  return room;
}

export function needed(argument: string, command: string): string {
  if (argument === "") throw new UsageError(`say what: ${command}`);
  return argument;
}

/** Lines that answer a command: a block of their own. */
export function list({ page }: Chat, lines: readonly string[]): void {
  const block = randomUUID();
  for (const line of lines) page.line(block, line);
}

/** The number that a human was shown, from 1. */
export function toNumber(argument: string, count: number, where: string): number {
  const number = /^\d{1,6}$/.test(argument) ? Number(argument) : 0;
  if (number >= 1 && number <= count) return number;
  throw new UsageError(
    count === 0 ? `there is nothing; see ${where}` : `give a number from 1 to ${count}; see ${where}`,
  );
}
