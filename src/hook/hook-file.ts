import { resolve } from "node:path";
import { flag, listOf, mapOf, object, type Shape, ShapeError, text, whole } from "../json-shape.ts";
import { DEFAULT_TIMEOUT_MS, type Hook, type HookTarget, type HookTime, MAX_TIMEOUT_MS } from "./hook.ts";

/** Each is a process or a connection for each call of a tool. */
const MAX_HOOKS = 16;

interface HookEntry {
  readonly name?: string;
  readonly command?: readonly string[];
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tools?: readonly string[];
  readonly timeoutMs?: number;
  readonly result?: boolean;
}

/** What files with hooks hold, whose ever they are. */
interface HookFile {
  readonly before?: readonly HookEntry[];
  readonly after?: readonly HookEntry[];
}

const word = text({ maxChars: 4096 });

const entry: Shape<HookEntry> = object(
  {},
  {
    name: text({ maxChars: 64, pattern: /^[\w .:/-]+$/ }),
    command: listOf(word),
    url: text({ maxChars: 2048 }),
    headers: mapOf(text({ pattern: /^[\w-]{1,64}$/ }), text({ maxChars: 1024 }), 16),
    tools: listOf(text({ pattern: /^[\w-]{1,64}\*?$|^\*$/ })),
    timeoutMs: whole(1, MAX_TIMEOUT_MS),
    result: flag,
  },
);

const file: Shape<HookFile> = object({}, { before: listOf(entry), after: listOf(entry) });

/** Whose file it is. */
export interface HookPlace {
  readonly source: Hook["source"];
  /** What names of programs with a slash start from. */
  readonly folder: string;
  /** Where programs run. */
  readonly cwd: string;
  /** What they find in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Values that headers may name as `env:NAME`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Why a program may not be run; undefined where it may. */
  readonly refuse?: (argv: readonly string[]) => string | undefined;
}

/** Reads `{"before": [...], "after": [...]}`. Throws `ShapeError`, which names the field. */
export function parseHookFile(json: string, place: HookPlace): readonly Hook[] {
  const { before = [], after = [] } = file(parseJson(json), "");
  return [
    ...before.map((one, i) => toHook(one, "before", `before[${i}]`, place)),
    ...after.map((one, i) => toHook(one, "after", `after[${i}]`, place)),
  ];
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new ShapeError("", "it is no JSON");
  }
}

function toHook(hook: HookEntry, time: HookTime, where: string, place: HookPlace): Hook {
  if (Number(/\d+/.exec(where)?.[0]) >= MAX_HOOKS) throw new ShapeError(where, `there are at most ${MAX_HOOKS}`);
  const { command, url, headers = {}, tools = [], timeoutMs = DEFAULT_TIMEOUT_MS, result = false } = hook;
  if ((command === undefined) === (url === undefined)) throw new ShapeError(where, "set either command or url");
  if (url === undefined && hook.headers !== undefined)
    throw new ShapeError(`${where}.headers`, "only a url takes them");
  const target = url === undefined ? toCommand(command ?? [], where, place) : toUrl(url, headers, where, place);
  const name = hook.name ?? nameOf(target);
  return { name, time, target, tools, timeoutMs, wantsResult: result, source: place.source };
}

function toCommand(argv: readonly string[], where: string, { folder, cwd, env, refuse }: HookPlace): HookTarget {
  const [program = "", ...rest] = argv;
  if (program === "" || argv.some((one) => one.includes("\0"))) {
    throw new ShapeError(
      `${where}.command`,
      'must name a program and its arguments, such as ["/usr/local/bin/policy", "-v"]',
    );
  }
  // A name alone is looked up in PATH; one with a slash is never, wherever it runs.
  const whole = [program.includes("/") ? resolve(folder, program) : program, ...rest] as const;
  const refusal = refuse?.(whole);
  if (refusal !== undefined) throw new ShapeError(`${where}.command`, refusal);
  return { kind: "command", argv: [...whole], cwd, env };
}

function toUrl(
  url: string,
  headers: Readonly<Record<string, string>>,
  where: string,
  { secrets }: HookPlace,
): HookTarget {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.password !== "") {
    throw new ShapeError(
      `${where}.url`,
      "must begin with http:// or https:// and hold no password; use headers for that",
    );
  }
  const filled = Object.entries(headers).map(([name, value]) => {
    if (/[^\t\x20-\x7e]/.test(value))
      throw new ShapeError(`${where}.headers.${name}`, "must be visible ASCII characters");
    if (!value.startsWith("env:")) return [name, value];
    const secret = secrets[value.slice(4)];
    if (secret === undefined) {
      throw new ShapeError(`${where}.headers.${name}`, `there is no ${value.slice(4)}; pass it with --hook-env`);
    }
    return [name, secret];
  });
  return { kind: "url", url: parsed.href, headers: Object.fromEntries(filled) as Record<string, string> };
}

/** A URL's query may hold a secret. */
function nameOf(target: HookTarget): string {
  switch (target.kind) {
    case "command":
      return target.argv[0].split("/").at(-1) ?? "";
    case "url": {
      const { host, pathname } = new URL(target.url);
      return host + (pathname === "/" ? "" : pathname);
    }
    case "broken":
      return "";
  }
}
