import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { startAimock, type Aimock } from "../helpers/aimock.ts";
import { startEngineProcess, type EngineProcess } from "../helpers/engine-process.ts";

export const ROOT = join(import.meta.dirname, "../..");

/** What the upstream says. It is cut into pieces in the middle of words, of lines and of surrogate pairs. */
export const SAID = Array.from(
  { length: 12 },
  (_, i) => `${i + 1}. Grüße, 世界! 👩‍👩‍👧‍👦 "quoted" \\ {"json": [${i}]}\r\n\ttab <b>&amp;</b> \u202eabc\u202c 😀😀😀`,
).join("\n");

/** An engine in its own process, whose profile `openai` speaks to a model server that nobody here wrote. */
export interface Place {
  readonly engine: EngineProcess;
  readonly upstream: Aimock;
  /** `host:port` */
  readonly address: string;
  readonly authorization: string;
  close(): Promise<void>;
}

export async function startPlace(): Promise<Place> {
  const upstream = await startAimock({ latency: 2, chunkSize: 7 });
  upstream.mock.onMessage(/.*/, { content: SAID });
  const engine = await startEngineProcess({
    env: { OPENAI_BASE_URL: upstream.baseUrl, OPENAI_API_KEY: "sk-test", OPENAI_MODEL: "m-1" },
  });
  return {
    engine,
    upstream,
    address: new URL(engine.url).host,
    authorization: `Bearer ${engine.token}`,
    async close() {
      await engine.stop();
      await upstream.stop();
    },
  };
}

/**
 * The path of a program; undefined where it is missing, and a line that says so: the tests that need it are skipped then.
 * In CI each must be there.
 */
export function findProgram(name: string): string | undefined {
  const folders = [
    join(ROOT, "node_modules/.bin"),
    ...(process.env["PATH"] ?? "").split(delimiter),
    process.env["GOBIN"] ?? "",
    join(process.env["GOPATH"] ?? join(homedir(), "go"), "bin"),
    "/usr/local/go/bin",
  ];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.env["CI"] === "true") throw new Error(`${name} is missing; .ci/run installs it`);
  console.warn(`skipped: ${name} is missing`);
  return undefined;
}
