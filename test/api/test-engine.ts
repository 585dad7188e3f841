import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { createClient, type Client } from "../../src/client/client.ts";
import { readConfig } from "../../src/config.ts";
import { startEngine, type EngineParts } from "../../src/engine.ts";
import { NO_TITLES } from "../helpers/no-titles.ts";

/** A real engine on a free port, with a data directory of its own, and clients of it. */
export interface TestEngine extends Client {
  readonly token: string;
  readonly dataDir: string;
  /** One call as plain JSON, for requests that no client would make. */
  post(method: string, body: string): Promise<JsonAnswer>;
  /** Stops the engine, gently, and keeps its data. */
  stop(): Promise<void>;
  /** Stops the engine and starts another one on the same data. */
  restart(parts?: EngineParts): Promise<TestEngine>;
  /** Stops the engine and removes its data. Throws where the engine logged an error: no test here causes one. */
  dispose(): Promise<void>;
}

export interface JsonAnswer {
  readonly status: number;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export interface TestEngineOptions {
  /** The base URL of the profile `openai`; absent = only `demo` exists. */
  readonly openai?: string | undefined;
  readonly dataDir?: string;
  /** As in the configuration; absent = sessions that a test does not name have no title, and no call or event comes of it. */
  readonly titles?: "on" | "off";
  /** A file that names hooks; absent = there are none. */
  readonly hooks?: string;
  readonly parts?: EngineParts;
}

export async function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "parley-api-")));
  const bugs: string[] = [];
  const config = readConfig({
    PARLEY_DATA_DIR: dataDir,
    PARLEY_PORT: "0",
    OPENAI_BASE_URL: options.openai,
    OPENAI_API_KEY: options.openai === undefined ? undefined : "sk-test",
    OPENAI_MODEL: "scripted-1",
    PARLEY_TITLES: options.titles,
    PARLEY_HOOKS: options.hooks,
  });
  const logger = pino({ level: "error" }, { write: (line: string) => void bugs.push(line) });
  const engine = await startEngine(config, {
    logger,
    ...(options.titles === undefined && { titles: NO_TITLES }),
    ...options.parts,
  });
  const { url, token } = engine;
  const client = createClient({ url, token });
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await engine.close();
    client.close();
  };
  return {
    ...client,
    url,
    token,
    dataDir,
    async post(method, body) {
      const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
      const response = await fetch(`${url}/${method}`, { method: "POST", headers, body });
      const text = await response.text();
      return { status: response.status, text, json: JSON.parse(text) as Record<string, unknown> };
    },
    stop,
    async restart(parts) {
      await stop();
      return startTestEngine({ ...options, dataDir, ...(parts !== undefined && { parts }) });
    },
    async dispose() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
      if (bugs.length > 0) throw new Error(`the engine logged errors: ${bugs.join("")}`);
    },
  };
}
