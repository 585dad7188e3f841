import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

// The version whose protos and cases these are; .ci/run installs it.
const MODULE = "connectrpc.com/conformance@v1.0.7";

/** Cases that hold the server to half a second. Eight calls of the suite at once, on few cores, take it from each other. */
const TIMED = "Deadline Propagation/**";

export type ConformanceResult =
  | ({ readonly kind: "ran" } & Ran)
  | { readonly kind: "missing"; readonly reason: string };

const run = promisify(execFile);
const here = import.meta.dirname;
const root = join(here, "../..");

/** Runs the suite in server mode against `server.ts`. Its protos are compiled to a temporary file from the module itself. */
export async function runConformance(write: (text: string) => void): Promise<ConformanceResult> {
  const tool = await findTool();
  if (tool === undefined)
    return {
      kind: "missing",
      reason: `connectconformance is missing: go install ${MODULE.replace("@", "/cmd/connectconformance@")}`,
    };
  const directory = await mkdtemp(join(tmpdir(), "parley-conformance-"));
  try {
    const image = join(directory, "protos.binpb");
    const module = await moduleDirectory();
    await run(join(root, "node_modules/.bin/buf"), [
      "build",
      join(module, "proto"),
      "--as-file-descriptor-set",
      "--exclude-source-info",
      "-o",
      image,
    ]);
    const all = await runTool(tool, image, ["--skip", TIMED], write);
    const timed = await runTool(tool, image, ["--run", TIMED, "--max-servers", "1", "--parallel", "1"], write);
    return { kind: "ran", exitCode: all.exitCode || timed.exitCode, output: all.output + timed.output };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface Ran {
  readonly exitCode: number;
  readonly output: string;
}

function runTool(tool: string, image: string, cases: readonly string[], write: (text: string) => void): Promise<Ran> {
  const options = [
    ...cases,
    "--mode",
    "server",
    "--conf",
    join(here, "config.yaml"),
    "--known-failing",
    `@${join(here, "known-failing.txt")}`,
  ];
  const child = spawn(tool, [...options, "--", process.execPath, join(here, "server.ts"), image], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    write(chunk.toString());
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ exitCode: code ?? 1, output }));
  });
}

async function findTool(): Promise<string | undefined> {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  try {
    const { stdout } = await run("go", ["env", "GOBIN", "GOPATH"]);
    const [bin = "", path = ""] = stdout.split("\n");
    directories.push(bin || join(path, "bin"));
  } catch {
    // Without Go the tool may still be on the PATH, but its protos cannot be found.
    return undefined;
  }
  return directories.map((directory) => join(directory, "connectconformance")).find((path) => existsSync(path));
}

async function moduleDirectory(): Promise<string> {
  const { stdout } = await run("go", ["mod", "download", "-json", MODULE], { cwd: tmpdir() });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
