import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { ApprovalMode, type Event, type FileChanged, RevertOutcomeSchema, type Turn } from "../../src/client/client.ts";
import type { Tool } from "../../src/tool/tool.ts";
import { createSession, endOf, replay, text } from "./observe.ts";
import { says, startUpstream, type Upstream } from "./scripted-upstream.ts";
import { startTestEngine, type TestEngine } from "./test-engine.ts";

/** A call that the model asks for. */
export type AskedCall = readonly [name: string, args: object];

/** An engine whose model asks for what a test says, and a session with a folder of its own that is asked for nothing. */
export function useFiles(tools: readonly Tool[] = []) {
  const world = {
    upstream: undefined as unknown as Upstream,
    engine: undefined as unknown as TestEngine,
    sessionId: "",
    workspace: "",

    async put(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
      await mkdir(dirname(join(world.workspace, path)), { recursive: true });
      await writeFile(join(world.workspace, path), content);
      await chmod(join(world.workspace, path), mode);
    },
    /** The bytes of a file as text; undefined where there is none. */
    get: (path: string): Promise<string | undefined> =>
      readFile(join(world.workspace, path), "latin1").catch(() => undefined),
    mode: async (path: string): Promise<number> => (await stat(join(world.workspace, path))).mode & 0o777,

    /** Makes a turn of a model that asks for these calls, one answer after another. */
    async start(...calls: readonly AskedCall[]): Promise<Turn> {
      const before = world.upstream.requests.length;
      world.upstream.script((answer, _request, number) => {
        const call = calls[number - before - 1];
        if (call === undefined) return says(answer, "done");
        answer.call("a", call[0], JSON.stringify(call[1]));
        answer.end("tool_calls");
      });
      return (await world.engine.messages.startTurn({ sessionId: world.sessionId, parts: text("go") })).turn!;
    },
    async run(...calls: readonly AskedCall[]): Promise<Turn> {
      return endOf(world.engine, await world.start(...calls));
    },
    /** What was told of files, in order. */
    async told(): Promise<FileChanged[]> {
      return changesIn(await replay(world.engine, world.sessionId));
    },
    /** What a revert says, as `path: outcome`. */
    async revert(turn: Turn, preview = false): Promise<string[]> {
      const request = { sessionId: world.sessionId, turnId: turn.id, preview };
      const { files } = await world.engine.sessions.revertFiles(request);
      return files.map(({ path, outcome }) => `${path}: ${RevertOutcomeSchema.value[outcome]?.localName ?? ""}`);
    },
  };
  beforeEach(async () => {
    world.upstream = await startUpstream();
    world.engine = await startTestEngine({ openai: world.upstream.url, parts: { random: () => 0, tools } });
    const session = await createSession(world.engine, { approvalMode: ApprovalMode.TRUST_ALL });
    world.sessionId = session.id;
    world.workspace = session.workspace;
  });
  afterEach(async () => {
    await world.engine.dispose();
    await world.upstream.close();
  });
  return world;
}

function changesIn(events: readonly Event[]): FileChanged[] {
  return events.flatMap(({ payload }) => (payload.case === "fileChanged" ? [payload.value] : []));
}
