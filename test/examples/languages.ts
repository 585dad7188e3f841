import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { makeTempDir } from "../helpers/engine-process.ts";
import { findProgram, ROOT } from "../third-party/place.ts";
import { succeed } from "../third-party/programs.ts";

/** How an example is run in one language. */
export interface Language {
  readonly name: string;
  /** Undefined = its tools are missing here; never so in CI. */
  readonly tool: string | undefined;
  /** Compiles what must be compiled; returns the command and its first arguments. */
  build(): Promise<readonly string[]>;
}

export const LANGUAGES: readonly Language[] = [
  {
    name: "TypeScript",
    tool: process.execPath,
    build: async () => [process.execPath, join(ROOT, "examples/ts/ask.ts")],
  },
  { name: "Go", tool: findProgram("go"), build: buildGo },
  {
    name: "Python",
    tool: findPython(),
    build: async () => [findPython() ?? "", join(ROOT, "examples/python/ask.py")],
  },
];

async function buildGo(): Promise<readonly string[]> {
  const binary = join(makeTempDir("go-example"), "ask");
  const env = { GOFLAGS: "-mod=readonly -buildvcs=false" };
  await succeed(findProgram("go") ?? "", ["build", "-o", binary, "."], { cwd: join(ROOT, "examples/go"), env });
  return [binary];
}

/** A Python that has the generated package and its runtime: the one of `.venv`, else the system's. */
export function findPython(): string | undefined {
  const kept = join(ROOT, ".venv/bin/python");
  const python = existsSync(kept) ? kept : "python3";
  const { status } = spawnSync(python, ["-c", "import parley_api, connectrpc"]);
  if (status === 0) return python;
  if (process.env["CI"] === "true") throw new Error(`${python} has no parley_api; .ci/run installs it`);
  console.warn("skipped: no Python with gen/python; python3 -m venv .venv && .venv/bin/pip install ./gen/python");
  return undefined;
}
