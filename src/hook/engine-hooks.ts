import { accessSync, constants, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { DomainError } from "../errors.ts";
import { ShapeError } from "../json-shape.ts";
import type { Hook, HookTime } from "./hook.ts";
import { type HookPlace, parseHookFile } from "./hook-file.ts";

/** What the configuration says of hooks. */
export interface HookSettings {
  /** A file that names some; absolute. */
  readonly file: string | undefined;
  /** Each a URL, a JSON array of a program and its arguments, or the path of a program. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** What programs find in their environment besides what all of them find; headers may name it. */
  readonly env: Readonly<Record<string, string>>;
}

/** Where no session's files are: a program that looks around itself finds nothing of an agent's. */
const CWD = "/";

/** The hooks that the engine's configuration names. Throws DomainError invalid `INVALID_CONFIG`, which names the field. */
export function readEngineHooks(
  { file, before, after, env: secrets }: HookSettings,
  base: Readonly<Record<string, string>>,
): readonly Hook[] {
  const place = { source: "engine", cwd: CWD, env: { ...base, ...secrets }, secrets } as const;
  const single = (time: HookTime, text: string): readonly Hook[] =>
    parse(JSON.stringify({ [time]: [entryOf(text, `--hook-${time}`)] }), { ...place, folder: CWD }, `--hook-${time}`);
  return [
    ...(file === undefined ? [] : parse(readText(file), { ...place, folder: dirname(file) }, `--hooks ${file}`)),
    ...before.flatMap((text) => single("before", text)),
    ...after.flatMap((text) => single("after", text)),
  ];
}

/** A URL, a JSON array of a program and its arguments, or the path of a program. */
function entryOf(text: string, flag: string): object {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { url: text };
  if (!text.startsWith("[")) return { command: [text] };
  try {
    return { command: JSON.parse(text) as unknown };
  } catch {
    throw invalid(flag, `${text} is no JSON array; write it like '["/usr/local/bin/policy", "--strict"]'`);
  }
}

function parse(json: string, place: HookPlace, source: string): readonly Hook[] {
  try {
    const hooks = parseHookFile(json, place);
    for (const { target } of hooks) if (target.kind === "command") checkProgram(target.argv[0], source);
    return hooks;
  } catch (error) {
    throw error instanceof ShapeError ? invalid(source, error.message) : error;
  }
}

/** A typing error would have a human asked about every call. Names without a slash are looked up when they are called. */
function checkProgram(program: string, source: string): void {
  if (!program.includes("/")) return;
  try {
    accessSync(program, constants.X_OK);
  } catch (error) {
    throw invalid(source, `${program} cannot be run (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw invalid(`--hooks ${file}`, `it cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
}

function invalid(source: string, message: string): DomainError {
  return new DomainError("invalid", "INVALID_CONFIG", `${source}: ${message}`);
}
