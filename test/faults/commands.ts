import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ChatRequest, isValidHistory, says, startUpstream } from "../api/scripted-upstream.ts";
import { type EngineProcess, startEngineProcess } from "../helpers/engine-process.ts";
import { type Client, createClient, type ToolResult } from "../../src/client/client.ts";

/** Engines in processes of their own, one after the other, whose model runs as a command what it is told. */
export interface CommandWorld {
  readonly engine: () => EngineProcess;
  readonly client: () => Client;
  /** Starts an engine on the same data, after the last one is gone. */
  start(): Promise<void>;
  newSession(): Promise<string>;
  /** Says what to run, in the foreground or, after `background: `, as a job; resolves with the turn's id. */
  run(sessionId: string, command: string): Promise<string>;
  /** Runs a command to the end of its turn and gives the call's result. */
  runToEnd(sessionId: string, command: string): Promise<ToolResult | undefined>;
  /** How many conversations the model was sent that no provider would take. */
  readonly invalidHistories: () => number;
  close(): Promise<void>;
}

export async function startCommandWorld(): Promise<CommandWorld> {
  let invalid = 0;
  const upstream = await startUpstream((answer, request) => {
    if (!isValidHistory(request.messages)) invalid++;
    const command = commandOf(request);
    if (command === undefined) return says(answer, "done");
    const isBackground = command.startsWith("background: ");
    const args = { command: command.replace("background: ", ""), timeout_ms: 600_000, background: isBackground };
    answer.call("up", "shell", JSON.stringify(args));
    answer.end("tool_calls");
  });
  const env = {
    OPENAI_BASE_URL: upstream.url,
    OPENAI_API_KEY: "none",
    PARLEY_TITLES: "off",
    PARLEY_APPROVAL_MODE: "trust_all",
    PARLEY_SANDBOX: "off",
  };
  let engine = await startEngineProcess({ env });
  let client = createClient(engine);
  const world: CommandWorld = {
    engine: () => engine,
    client: () => client,
    async start() {
      client.close();
      engine = await startEngineProcess({ env, dataDir: engine.dataDir });
      client = createClient(engine);
    },
    newSession: async () => (await client.sessions.createSession({})).session!.id,
    async run(sessionId, command) {
      const parts = [{ content: { case: "text" as const, value: command } }];
      return (await client.messages.startTurn({ sessionId, parts })).turn!.id;
    },
    async runToEnd(sessionId, command) {
      const parts = [{ content: { case: "text" as const, value: command } }];
      let result: ToolResult | undefined;
      for await (const { payload } of client.messages.sendMessage({ sessionId, parts })) {
        if (payload.case === "event" && payload.value.payload.case === "toolCallEnded") {
          result = payload.value.payload.value.result;
        }
      }
      return result;
    },
    invalidHistories: () => invalid,
    async close() {
      client.close();
      await engine.stop();
      await upstream.close();
    },
  };
  return world;
}

/** What a user has just said; undefined where the model has done it. */
function commandOf({ messages }: ChatRequest): string | undefined {
  const last = messages.at(-1);
  return last?.role === "user" ? (last.content ?? undefined) : undefined;
}

/** The processes, without those that only wait to be buried, whose command lines hold this: the shells that were told of it, too. */
export function processesWith(words: string): number[] {
  return processesWhere((line) => line.includes(words));
}

/** Those that are this. */
export function processesOf(command: string): number[] {
  return processesWhere((line) => line.startsWith(command));
}

function processesWhere(isMeant: (line: string) => boolean): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return isMeant(line) ? [Number(name)] : [];
    } catch {
      // Gone meanwhile.
      return [];
    }
  });
}

/** Resolves when so many of them run. Throws where that takes too long. */
export async function untilThere(command: string, count: number, limitMs = 120_000): Promise<void> {
  const startedAt = performance.now();
  for (let found = -1; found < count; found = processesOf(command).length) {
    if (performance.now() - startedAt > limitMs) throw new Error(`${found} of ${count} processes "${command}"`);
    await pause(20);
  }
}

/** Resolves when no more than so many of them are left: who was told to end is there for a moment more. */
export async function untilLeft(command: string, count: number, limitMs = 120_000): Promise<void> {
  const startedAt = performance.now();
  while (processesOf(command).length > count && performance.now() - startedAt < limitMs) await pause(20);
}

/** A number of seconds that no other test sleeps. */
export function ownSeconds(): string {
  return `${3000 + Math.floor(Math.random() * 1000)}.${process.pid}${Math.floor(Math.random() * 1_000_000)}`;
}

export function bytesOfFolder(folder: string): number {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  return names.reduce((sum, entry) => sum + (entry.isFile() ? sizeOf(join(entry.parentPath, entry.name)) : 0), 0);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
