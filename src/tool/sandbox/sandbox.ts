import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SandboxWrap } from "../process/process.ts";
import { findUnreadable, findUnwritable } from "./sandbox-paths.ts";
import { createPlaceholders } from "./sandbox-placeholders.ts";
import { probeSandbox, type SandboxProbe, type SandboxPrograms } from "./sandbox-probe.ts";
import { COMMAND_VARIABLE, loadSandboxRuntime, type SandboxRuntime } from "./sandbox-runtime.ts";

/** Linux takes no variable of more, with its name and the NUL that ends it. */
const MAX_LINE_BYTES = 128 * 1024 - COMMAND_VARIABLE.length - 2;

/** `required`: nothing runs without one; `auto`: where it works; `off`: never. */
export type SandboxMode = "required" | "auto" | "off";

/** What is in force. */
export interface SandboxState {
  readonly mode: SandboxMode;
  readonly isActive: boolean;
  /** What the walls are made of; empty where there are none. */
  readonly kind: string;
  /** Why it is not active, and what to do; empty where it is. */
  readonly reason: string;
}

export interface SandboxConfig {
  readonly mode: SandboxMode;
  /** Hosts that commands may reach, such as `example.com`, `*.example.com`, `example.com:443`; empty = no network. */
  readonly hosts: readonly string[];
  /** The PATH in which its programs are looked for. */
  readonly path: string;
  /** The engine's own folder, canonical: no command may read it, but for the workspace and temporary folder of its session. */
  readonly dataDir: string;
  /** Other files that no command may read. Absolute. */
  readonly secretFiles: readonly string[];
  /** Names that no command may write directly in its workspace, nor below it where they are. */
  readonly protectedNames: readonly string[];
  /** Told once, where commands run as they are although nobody turned the sandbox off. */
  readonly onMissing?: (reason: string) => void;
}

/** What keeps the commands of models inside of their workspaces, whatever they are told to do. */
export interface Sandbox {
  /** Tried when it is first asked for, or first needed. */
  state(): Promise<SandboxState>;
  /** Gives a command as it is where the sandbox is not active. Throws with a message for the model where it cannot be put into one. */
  readonly wrap: SandboxWrap;
  /** The same for a program of the engine's own that only reads what it is handed: it can write nowhere. */
  readonly wrapReader: ReaderWrap;
  /** Takes away what an engine that was killed has left in workspaces. Its commands have ended. */
  removeLeft(): Promise<void>;
  /** A session is gone, and its commands have ended: so goes what they have left in its temporary folder. */
  forget(sessionId: string): Promise<void>;
  close(): Promise<void>;
}

export type ReaderWrap = (argv: Wrapped["argv"]) => Promise<Wrapped>;

type Wrapped = Awaited<ReturnType<SandboxWrap>>;

/** What a test may replace. */
export interface SandboxParts {
  readonly probe?: typeof probeSandbox;
  readonly load?: typeof loadSandboxRuntime;
}

export function createSandbox(config: SandboxConfig, parts: SandboxParts = {}): Sandbox {
  const { mode, hosts, path, dataDir } = config;
  const { probe = probeSandbox, load = loadSandboxRuntime } = parts;
  const hasNetwork = hosts.length > 0;
  // Below the data directory, so that no other session can read it and it is known whose it is.
  const temporary = join(dataDir, "tmp");
  const placeholders = createPlaceholders(join(dataDir, "closed-names.json"));
  let probed: Promise<SandboxProbe> | undefined;
  let loaded: Promise<SandboxRuntime> | undefined;

  async function prepare(): Promise<SandboxProbe> {
    if (mode === "off") return { works: false, reason: "it is turned off (--sandbox off)" };
    const found = await probe({ path, hasNetwork });
    if (!found.works && mode === "auto") config.onMissing?.(found.reason);
    return found;
  }

  async function start(programs: SandboxPrograms): Promise<SandboxRuntime> {
    // What an engine that was killed has left.
    await rm(temporary, { recursive: true, force: true });
    return load(programs, hasNetwork);
  }

  /** Undefined where commands run as they are. */
  async function findRuntime(): Promise<SandboxRuntime | undefined> {
    const found = await (probed ??= prepare());
    if (found.works) return (loaded ??= start(found.programs));
    if (mode !== "required") return undefined;
    throw new Error(`commands run in a sandbox only, and there is none: ${found.reason}`);
  }

  const findHidden = (): readonly string[] => [dataDir, ...config.secretFiles, ...findUnreadable()];

  const wrapReader: ReaderWrap = async (argv) => {
    const runtime = await findRuntime();
    if (runtime === undefined) return { argv, env: {}, cleanup: () => undefined };
    const { line, cleanup } = await runtime.build({
      writable: [],
      unwritable: [],
      unreadable: findHidden(),
      hosts: [],
    });
    return { argv: inShell(line), env: { [COMMAND_VARIABLE]: commandLine(argv, {}) }, cleanup };
  };

  const wrap: SandboxWrap = async (argv, { workspace, sessionId, env }) => {
    const runtime = await findRuntime();
    if (runtime === undefined) return { argv, env, cleanup: () => undefined };
    if (workspace === "") throw new Error("the session has no workspace for commands to run in");
    const own = join(temporary, sessionId);
    await mkdir(own, { recursive: true, mode: 0o700 });
    const unwritable = await findUnwritable(workspace, config.protectedNames);
    const line = commandLine(argv, {
      TMPDIR: own,
      XDG_CACHE_HOME: join(own, "cache"),
      npm_config_cache: join(own, "npm"),
    });
    await placeholders.hold(workspace, unwritable);
    try {
      const { line: command, cleanup } = await runtime.build({
        writable: [workspace, own],
        unwritable,
        unreadable: findHidden(),
        hosts,
      });
      return {
        argv: inShell(command),
        env: { ...env, [COMMAND_VARIABLE]: line },
        cleanup: async () => {
          cleanup();
          await placeholders.release(workspace);
        },
      };
    } catch (error) {
      await placeholders.release(workspace);
      throw error;
    }
  };

  return {
    wrap,
    wrapReader,
    removeLeft: placeholders.removeLeft,
    forget: (sessionId) => rm(join(temporary, sessionId), { recursive: true, force: true }),
    async state() {
      const found = await (probed ??= prepare());
      if (found.works) return { mode, isActive: true, kind: found.programs.kind, reason: "" };
      return { mode, isActive: false, kind: "", reason: found.reason };
    },
    async close() {
      if (loaded === undefined) return;
      // Whoever needed it was told that it could not be loaded.
      const runtime = await loaded.catch(() => undefined);
      await runtime?.close();
      await rm(temporary, { recursive: true, force: true });
    },
  };
}

/** No shell stays between the engine and the sandbox, which ends when its parent does. */
function inShell(line: string): Wrapped["argv"] {
  return ["/bin/sh", "-c", `exec ${line}`];
}

/** An argument vector as a line for a POSIX shell that becomes exactly that program. Variables are set inside, after all else that sets some. */
function commandLine(argv: readonly string[], env: Readonly<Record<string, string>>): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}; `);
  const line = `${exports.join("")}exec ${argv.map(quoted).join(" ")}`;
  if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
  throw new Error("the command is too long for the sandbox; write it to a file, and run that");
}

/** One word, whatever it holds: between single quotes nothing means anything to a POSIX shell but the next one. */
function quoted(text: string): string {
  if (text.includes("\0")) throw new Error("a command cannot hold a NUL character");
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
