import type { Command } from "commander";
import type { Context } from "../context.ts";

/** How a group of commands runs one of them: with a context of its own, and what it throws as one line. */
export type Run = (command: Command, work: (context: Context) => Promise<number>) => Promise<void>;
