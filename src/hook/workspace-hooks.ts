import { lstatSync } from "node:fs";
import { relative, resolve } from "node:path";
import { DomainError } from "../errors.ts";
import { ShapeError } from "../json-shape.ts";
import type { Files } from "../workspace/files.ts";
import { DEFAULT_TIMEOUT_MS, type Hook } from "./hook.ts";
import { parseHookFile } from "./hook-file.ts";

/** The folder in which agents can write nothing. */
const FOLDER = ".parley";
const HOOKS_FILE = `${FOLDER}/hooks.json`;

export interface WorkspaceHooksDeps {
  readonly files: Pick<Files, "read">;
  /** Whether a human trusts what is in a canonical folder. */
  readonly isTrusted: (workspace: string) => Promise<boolean>;
  /** What programs find in their environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The hooks that a workspace adds, read for each call; none unless it is trusted. A file that cannot be used is a hook that fails:
 * whoever has written it wanted to be asked.
 */
export async function readWorkspaceHooks(
  { files, isTrusted, env }: WorkspaceHooksDeps,
  workspace: string,
): Promise<readonly Hook[]> {
  if (workspace === "" || !(await isTrusted(workspace))) return [];
  try {
    const { bytes } = await files.read(workspace, HOOKS_FILE);
    const refuse = (argv: readonly string[]): string | undefined => refuseOwn(argv, workspace);
    const place = { source: "workspace", folder: workspace, cwd: workspace, env, secrets: {}, refuse } as const;
    return parseHookFile(bytes.toString("utf8"), place);
  } catch (error) {
    if (error instanceof DomainError && error.reason === "PATH_NOT_FOUND") return [];
    if (error instanceof DomainError || error instanceof ShapeError) return [broken(error.message)];
    throw error;
  }
}

function broken(problem: string): Hook {
  const target = { kind: "broken", problem } as const;
  const always = { time: "before", tools: [], timeoutMs: DEFAULT_TIMEOUT_MS, wantsResult: false } as const;
  return { name: HOOKS_FILE, target, source: "workspace", ...always };
}

/** What an agent may write must not be run without being asked about, as a program or as a script of one. */
function refuseOwn(argv: readonly string[], workspace: string): string | undefined {
  const own = argv.find((word) => {
    const inside = relative(workspace, resolve(workspace, word));
    const isOutside = inside === "" || inside === ".." || inside.startsWith("../");
    const isKept = inside === FOLDER || inside.startsWith(`${FOLDER}/`);
    return !isOutside && !isKept && lstatSync(resolve(workspace, word), { throwIfNoEntry: false }) !== undefined;
  });
  return own === undefined ? undefined : `${own} is a file that agents may write; keep what hooks run in ${FOLDER}/`;
}
