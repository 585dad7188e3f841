import type { Command } from "commander";
import { addAgentCommands } from "./agents.ts";
import { addAuditCommands } from "./audit.ts";
import { addCompletion } from "./completion.ts";
import { addEngineCommands } from "./engine.ts";
import { addPermissionCommands } from "./permissions.ts";
import { addRequestCommands } from "./requests.ts";
import type { Run } from "./run.ts";
import { addSessionCommands } from "./sessions.ts";
import { addTalkCommands } from "./talk.ts";
import { addTokenCommands } from "./tokens.ts";

export interface Group {
  /** What is typed to run one of its commands; none = it needs all commands, not its own alone. */
  readonly words: readonly string[];
  readonly add: (program: Command, run: Run) => void;
}

/** All commands, in the order in which the help lists them. */
export const GROUPS: readonly Group[] = [
  {
    words: ["serve", "up", "down", "logs", "backup", "restore", "doctor", "status", "token"],
    add: addEngineCommands,
  },
  { words: ["chat", "run", "watch"], add: addTalkCommands },
  { words: ["sessions"], add: addSessionCommands },
  { words: ["agents"], add: addAgentCommands },
  { words: ["permissions"], add: addPermissionCommands },
  { words: ["requests"], add: addRequestCommands },
  { words: [], add: addCompletion },
  { words: ["tokens"], add: addTokenCommands },
  { words: ["audit"], add: addAuditCommands },
];

/**
 * The groups that what was typed can need. To make the commands of all takes as long as some of them run, and an engine
 * that starts needs its own alone; help, completion, words that are misspelt and options before the command need all.
 */
export function groupsFor(args: readonly string[]): readonly Group[] {
  const [word] = args;
  const own = GROUPS.filter(({ words }) => word !== undefined && words.includes(word));
  return own.length > 0 ? own : GROUPS;
}
