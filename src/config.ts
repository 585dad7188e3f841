import { homedir } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { DomainError } from "./errors.ts";
import { type ListenAddress, readListenAddress, type TlsFiles } from "./listen.ts";
import { APPROVAL_MODES, type ApprovalMode, SHIPPED_MODE } from "./permission/approval-mode.ts";
import type { Profile } from "./profile/profile.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 7433;

/** The model of the profile `openai` where `OPENAI_MODEL` names none. */
const DEFAULT_OPENAI_MODEL = "gpt-5-mini";

/** Somewhat more than a year, so that one can be compared with the one before. */
const DEFAULT_AUDIT_DAYS = 400;
const MAX_AUDIT_DAYS = 36_500;

/**
 * What commands of agents may know of the engine's environment: who and where they are, and where toolchains live. A list of
 * what may, since keys have any name; and nothing that makes a program load or run something.
 */
const TOOL_VARIABLES =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_(CONFIG|CACHE|DATA|STATE)_HOME|JAVA_HOME|ANDROID_HOME|GOPATH|GOROOT|GOBIN|CARGO_HOME|RUSTUP_HOME|NVM_DIR|VOLTA_HOME|PNPM_HOME|PYENV_ROOT|RBENV_ROOT|DOTNET_ROOT|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS)$/;

/** What opens the engine, or makes a program load or run something: in the environment of a command it is a way around all questions. */
const NEVER_FOR_TOOLS =
  /^(PARLEY_.*|LD_.*|DYLD_.*|NODE_OPTIONS|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|IFS|GIT_.*)$/;

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** Everything an engine is told at its start. */
export interface Config {
  /** Where to listen; at least one. The first is the one that the READY line begins with. */
  readonly listen: readonly ListenAddress[];
  /** Set: ports speak TLS and nothing else; sockets in the file system stay as they are. */
  readonly tls: TlsFiles | undefined;
  /** Whether other machines may be served without TLS. */
  readonly allowInsecureRemote: boolean;
  /** Absolute. */
  readonly dataDir: string;
  /** An admin token besides the one that is kept in the data directory. */
  readonly token: string | undefined;
  /** Other origins whose pages may call, each exactly. */
  readonly allowOrigins: readonly string[];
  /** Names besides loopback and those in `listen` that a request may be addressed to. */
  readonly allowHosts: readonly string[];
  readonly logLevel: LogLevel;
  /** How sessions that nobody has named get their title: a model is asked, or they are called by the first words. */
  readonly titles: "model" | "off";
  /** How much the agent of a session for which nobody says it may do without asking. */
  readonly approvalMode: ApprovalMode;
  readonly profiles: readonly Profile[];
  readonly defaultProfile: string;
  readonly proxies: ProxyConfig;
  /** Who is asked before calls of tools, and told after them; see `hook/engine-hooks.ts`. */
  readonly hooks: HooksConfig;
  /** How long entries of the audit log are kept. */
  readonly auditDays: number;
  /** Absolute folders; sessions work in these and below. None = anywhere. */
  readonly workspaceRoots: readonly string[];
  /** Whether the commands of agents run in a sandbox: always or not at all, where it works, or never. */
  readonly sandbox: SandboxMode;
  /** Hosts that commands in the sandbox may reach; empty = they have no network. */
  readonly sandboxHosts: readonly string[];
  /** What the commands of agents find in their environment. */
  readonly toolEnvironment: Readonly<Record<string, string>>;
  /** Whether pages are fetched through `proxies`, where nobody can tell which machine answers. */
  readonly fetchThroughProxy: boolean;
  /** The PATH in which programs are looked for. */
  readonly programPath: string;
}

const SANDBOX_MODES = ["required", "auto", "off"] as const;
type SandboxMode = (typeof SANDBOX_MODES)[number];

/** Where programs lie on most systems, for an engine that is started without a PATH. */
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

interface HooksConfig {
  /** Absolute; undefined = none. */
  readonly file: string | undefined;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Of the engine's environment, what their programs find in theirs. */
  readonly env: Readonly<Record<string, string>>;
}

/** What providers are called through; empty = they are called directly. */
interface ProxyConfig {
  /** For `http:` URLs. */
  readonly http: string;
  /** For `https:` URLs. */
  readonly https: string;
  /** Hosts that are called directly all the same, as NO_PROXY names them. */
  readonly exempt: string;
}

/** What the command line may say; undefined = not said. */
export interface Flags {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly listen?: readonly string[] | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly allowInsecureRemote?: boolean | undefined;
  readonly dataDir?: string | undefined;
  readonly allowOrigin?: readonly string[] | undefined;
  readonly allowHost?: readonly string[] | undefined;
  readonly logLevel?: string | undefined;
  readonly titles?: string | undefined;
  readonly workspaceRoot?: readonly string[] | undefined;
  readonly approvalMode?: string | undefined;
  readonly sandbox?: string | undefined;
  readonly sandboxNetwork?: readonly string[] | undefined;
  readonly commandEnv?: readonly string[] | undefined;
  readonly fetchThroughProxy?: boolean | undefined;
  readonly auditDays?: string | undefined;
  readonly hooks?: string | undefined;
  readonly hookBefore?: readonly string[] | undefined;
  readonly hookAfter?: readonly string[] | undefined;
  readonly hookEnv?: readonly string[] | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Flags, else environment, else defaults. Pure: nothing else reads the environment. Throws DomainError `INVALID_CONFIG`
 * that names the flag or variable.
 */
export function readConfig(env: Environment, flags: Flags = {}): Config {
  const profiles = readProfiles(env);
  return {
    listen: readListen(env, flags),
    tls: readTls(env, flags),
    allowInsecureRemote: flags.allowInsecureRemote ?? readSwitch(env, "PARLEY_ALLOW_INSECURE_REMOTE"),
    dataDir: readDataDir(env, flags.dataDir),
    token: readToken(env),
    allowOrigins: (flags.allowOrigin ?? []).map(readOrigin),
    allowHosts: flags.allowHost ?? [],
    logLevel: readLogLevel(flags.logLevel ?? (env["PARLEY_LOG_LEVEL"] || "info")),
    titles: readTitles(env, flags),
    workspaceRoots: readWorkspaceRoots(env, flags),
    approvalMode: readApprovalMode(env, flags),
    ...readSandboxConfig(env, flags),
    toolEnvironment: readToolEnvironment(env, flags),
    fetchThroughProxy: flags.fetchThroughProxy ?? readSwitch(env, "PARLEY_FETCH_THROUGH_PROXY"),
    auditDays: readAuditDays(env, flags),
    hooks: readHooks(env, flags),
    profiles,
    defaultProfile: profiles.some(({ name }) => name === "openai") ? "openai" : "demo",
    // Where nobody is called, a variable of the machine that we cannot use is nobody's fault.
    proxies: readProxies(profiles.every(({ provider }) => provider === "demo") ? {} : env),
  };
}

/** Where an engine keeps everything; also how a client finds the engine. */
export function readDataDir(env: Environment, flag?: string): string {
  const given = flag ?? (env["PARLEY_DATA_DIR"] || undefined);
  if (given === "") throw invalidConfig("--data-dir is empty; name a folder");
  if (given === undefined) return join(env["HOME"] || homedir(), ".parley");
  return isAbsolute(given) ? given : resolve(given);
}

/** `--host` and `--port` are one address, each `--listen` is one more; what flags say stands for all that variables say. */
function readListen(env: Environment, flags: Flags): readonly ListenAddress[] {
  const saysTcp = flags.host !== undefined || flags.port !== undefined;
  const listed = flags.listen?.map((text) => readListenAddress(text, "--listen"));
  const kept = (env["PARLEY_LISTEN"] ?? "").split(",").filter((text) => text !== "");
  const more = listed ?? (saysTcp ? [] : kept.map((text) => readListenAddress(text.trim(), "PARLEY_LISTEN")));
  if (!saysTcp && more.length > 0) return more;
  return [{ host: flags.host ?? (env["PARLEY_HOST"] || DEFAULT_HOST), port: readPort(env, flags) }, ...more];
}

function readTls(env: Environment, flags: Flags): TlsFiles | undefined {
  const certFile = flags.tlsCert ?? (env["PARLEY_TLS_CERT"] || undefined);
  const keyFile = flags.tlsKey ?? (env["PARLEY_TLS_KEY"] || undefined);
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (!certFile || !keyFile) {
    throw invalidConfig("TLS wants both --tls-cert FILE and --tls-key FILE (PARLEY_TLS_CERT and PARLEY_TLS_KEY)");
  }
  return { certFile: resolve(certFile), keyFile: resolve(keyFile) };
}

function readSwitch(env: Environment, name: string): boolean {
  const text = env[name] ?? "";
  if (text === "" || text === "0" || text === "false") return false;
  if (text === "1" || text === "true") return true;
  throw invalidConfig(`${name} is ${text}; set it to 1 or 0`);
}

function readPort(env: Environment, flags: Flags): number {
  const [source, text] = flags.port === undefined ? ["PARLEY_PORT", env["PARLEY_PORT"]] : ["--port", flags.port];
  if (text === undefined || text === "") return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw invalidConfig(`${source} is ${text}; give a number from 0 (a free port) to 65535`);
}

function readToken(env: Environment): string | undefined {
  const token = env["PARLEY_TOKEN"];
  if (token === undefined || token === "") return undefined;
  if (/^[\x21-\x7e]{16,512}$/.test(token)) return token;
  throw invalidConfig("PARLEY_TOKEN must be 16 to 512 visible ASCII characters");
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.origin === text.toLowerCase() && /^https?:$/.test(url.protocol)) return url.origin;
  throw invalidConfig(`--allow-origin ${text} is no origin; write it like https://app.example.com`);
}

function readLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw invalidConfig(`the log level ${text} is not one of ${LOG_LEVELS.join(", ")}`);
}

function readTitles(env: Environment, flags: Flags): "model" | "off" {
  const [source, text] =
    flags.titles === undefined ? ["PARLEY_TITLES", env["PARLEY_TITLES"]] : ["--titles", flags.titles];
  if (text === undefined || text === "" || text === "on") return "model";
  if (text === "off") return "off";
  throw invalidConfig(`${source} is ${text}; give on, or off to call no model for titles`);
}

function readWorkspaceRoots(env: Environment, flags: Flags): readonly string[] {
  const kept = (env["PARLEY_WORKSPACE_ROOT"] ?? "").split(delimiter).filter((root) => root !== "");
  const given = flags.workspaceRoot ?? kept;
  if (given.includes("")) throw invalidConfig("--workspace-root is empty; name a folder");
  return given.map((root) => resolve(root));
}

function readApprovalMode(env: Environment, flags: Flags): ApprovalMode {
  const [source, text] =
    flags.approvalMode === undefined
      ? ["PARLEY_APPROVAL_MODE", env["PARLEY_APPROVAL_MODE"]]
      : ["--approval-mode", flags.approvalMode];
  if (text === undefined || (text === "" && flags.approvalMode === undefined)) return SHIPPED_MODE;
  const mode = APPROVAL_MODES.find((name) => name === text.toLowerCase().replaceAll("-", "_"));
  if (mode !== undefined) return mode;
  throw invalidConfig(`${source} is ${text}; give one of ${APPROVAL_MODES.join(", ")}`);
}

function readHooks(env: Environment, flags: Flags): HooksConfig {
  const file = flags.hooks ?? (env["PARLEY_HOOKS"] || undefined);
  if (file === "") throw invalidConfig("--hooks is empty; name a file");
  const [before, after] = [flags.hookBefore ?? [], flags.hookAfter ?? []];
  if ([...before, ...after].includes(""))
    throw invalidConfig("--hook-before or --hook-after is empty; name a program or URL");
  const named = (flags.hookEnv ?? []).map((name) => {
    const value = env[name];
    if (value === undefined) throw invalidConfig(`--hook-env ${name}: there is no such variable`);
    return [name, value] as const;
  });
  return {
    file: file === undefined ? undefined : resolve(file),
    before: before.map(absoluteHook),
    after: after.map(absoluteHook),
    env: Object.fromEntries(named),
  };
}

/** A program of one's own is where one is, whatever folder it runs in. */
function absoluteHook(text: string): string {
  return /^([a-z][a-z0-9+.-]*:\/\/|\[)/i.test(text) || !text.includes("/") ? text : resolve(text);
}

function readAuditDays(env: Environment, flags: Flags): number {
  const [source, text] =
    flags.auditDays === undefined ? ["PARLEY_AUDIT_DAYS", env["PARLEY_AUDIT_DAYS"]] : ["--audit-days", flags.auditDays];
  if (text === undefined || (text === "" && flags.auditDays === undefined)) return DEFAULT_AUDIT_DAYS;
  const days = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (days >= 1 && days <= MAX_AUDIT_DAYS) return days;
  throw invalidConfig(`${source} is ${text}; give a number of days from 1 to ${MAX_AUDIT_DAYS}`);
}

/** Also what the doctor tries, which has no flags. */
export function readSandboxConfig(env: Environment, flags: Flags = {}) {
  const sandboxHosts = readSandboxHosts(env, flags);
  return { sandbox: readSandbox(env, flags), sandboxHosts, programPath: env["PATH"] || USUAL_PATH };
}

function readSandbox(env: Environment, flags: Flags): SandboxMode {
  const [source, text] =
    flags.sandbox === undefined ? ["PARLEY_SANDBOX", env["PARLEY_SANDBOX"]] : ["--sandbox", flags.sandbox];
  if (text === undefined || (text === "" && flags.sandbox === undefined)) return "auto";
  const mode = SANDBOX_MODES.find((name) => name === text.toLowerCase());
  if (mode !== undefined) return mode;
  throw invalidConfig(`${source} is ${text}; give one of ${SANDBOX_MODES.join(", ")}`);
}

/** A name or an address, or all names below one; with a port, or any. */
const SANDBOX_HOST =
  /^((\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:\d{1,5})?$/i;

function readToolEnvironment(env: Environment, flags: Flags): Readonly<Record<string, string>> {
  const [source, given] =
    flags.commandEnv === undefined
      ? ["PARLEY_COMMAND_ENV", [env["PARLEY_COMMAND_ENV"] ?? ""]]
      : ["--command-env", flags.commandEnv];
  const names = given.flatMap((text) => text.split(",")).map((name) => name.trim());
  const wrong = names.find((name) => name !== "" && (!/^[A-Za-z_]\w*$/.test(name) || NEVER_FOR_TOOLS.test(name)));
  if (wrong !== undefined) {
    const why = NEVER_FOR_TOOLS.test(wrong) ? "which no command may have" : "which is no name of a variable";
    throw invalidConfig(`${source} names ${wrong}, ${why}; give such as HTTPS_PROXY,DATABASE_URL`);
  }
  const known = Object.entries(env).filter(([name]) => TOOL_VARIABLES.test(name) || names.includes(name));
  return Object.fromEntries(known.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function readSandboxHosts(env: Environment, flags: Flags): readonly string[] {
  const [source, given] =
    flags.sandboxNetwork === undefined
      ? ["PARLEY_SANDBOX_NETWORK", [env["PARLEY_SANDBOX_NETWORK"] ?? ""]]
      : ["--sandbox-network", flags.sandboxNetwork];
  const hosts = given.flatMap((text) => text.split(",")).map((host) => host.trim());
  const wrong = hosts.find((host) => host !== "" && !SANDBOX_HOST.test(host));
  if (wrong === undefined) return hosts.filter((host) => host !== "");
  throw invalidConfig(
    `${source} names ${wrong}, which is no host; give such as example.com,*.example.org,example.net:443`,
  );
}

function readProfiles(env: Environment): readonly Profile[] {
  const demo: Profile = {
    name: "demo",
    provider: "demo",
    model: "demo",
    baseUrl: "",
    apiKey: undefined,
    description: "The built-in demo model: no key, no network, no AI.",
  };
  const apiKey = env["OPENAI_API_KEY"] || undefined;
  const baseUrl = env["OPENAI_BASE_URL"] || "";
  if (apiKey === undefined && baseUrl === "") return [demo];
  if (baseUrl !== "" && !/^https?:\/\//.test(baseUrl)) {
    throw invalidConfig("OPENAI_BASE_URL must begin with http:// or https://");
  }
  const openai: Profile = {
    name: "openai",
    provider: "openai_chat",
    model: env["OPENAI_MODEL"] || DEFAULT_OPENAI_MODEL,
    baseUrl,
    apiKey,
    description: "OpenAI Chat Completions, from OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL.",
  };
  return [demo, openai];
}

/** The variables that other programs know too; as there, small letters come first. */
function readProxies(env: Environment): ProxyConfig {
  const url = (name: string): string => {
    const [source, text] = env[name.toLowerCase()] ? [name.toLowerCase(), env[name.toLowerCase()]] : [name, env[name]];
    if (text === undefined || text === "") return "";
    const whole = text.includes("://") ? text : `http://${text}`;
    if (URL.canParse(whole) && /^https?:$/.test(new URL(whole).protocol)) return whole;
    // Not quoted: it may hold a password.
    throw invalidConfig(
      `${source} is no proxy that can be used; write it like http://proxy.example.com:3128, or unset it`,
    );
  };
  return { http: url("HTTP_PROXY"), https: url("HTTPS_PROXY"), exempt: env["no_proxy"] || env["NO_PROXY"] || "" };
}

function invalidConfig(message: string): DomainError {
  return new DomainError("invalid", "INVALID_CONFIG", message);
}
