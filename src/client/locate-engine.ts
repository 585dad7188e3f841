import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Environment, readDataDir } from "../config.ts";
import { DomainError } from "../errors.ts";
import { readSocketUrl } from "../listen.ts";

/** Where an engine is and what opens it. */
export interface EngineAddress {
  /** `http://`, `https://`, or `unix:` and the absolute path of a socket. */
  readonly url: string;
  readonly token: string;
  /** Whom to believe that it is the engine; absent = whom the system believes. */
  readonly trust?: Trust | undefined;
}

/** PEM: CAs that may vouch for the engine, or the one certificate that it must show, whatever it is called by. */
export type Trust = { readonly ca: string } | { readonly certificate: string };

export interface LocateOptions {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly dataDir?: string | undefined;
  /** A PEM file with CAs to believe besides none; else `PARLEY_TLS_CA`. */
  readonly tlsCa?: string | undefined;
  readonly env: Environment;
}

/**
 * What was given, else `PARLEY_URL` and `PARLEY_TOKEN`, else what the engine of the data directory wrote there. A data
 * directory that was given comes before `PARLEY_URL`: who names one means the engine in it.
 * @throws DomainError unavailable `ENGINE_NOT_RUNNING`, invalid `INVALID_CONFIG`.
 */
export function locateEngine(options: LocateOptions): EngineAddress {
  const url = givenUrl(options);
  if (url === undefined) {
    const dataDir = readDataDir(options.env, options.dataDir);
    const { url: found, certificate } = readEngineFile(dataDir, startHint(options));
    const own: Trust | undefined = certificate === undefined ? undefined : { certificate };
    return { url: found, token: locateToken(options), trust: readTrust(options) ?? own };
  }
  return { url: checkedUrl(url), token: locateToken(options, url), trust: readTrust(options) };
}

function readTrust(options: LocateOptions): Trust | undefined {
  const file = options.tlsCa ?? (options.env["PARLEY_TLS_CA"] || undefined);
  if (file === undefined) return undefined;
  const ca = readText(file);
  if (ca?.includes("-----BEGIN CERTIFICATE-----")) return { ca };
  throw new DomainError(
    "invalid",
    "INVALID_CONFIG",
    `${file} ${ca === undefined ? "is not there" : "holds no certificate as PEM"}; name the file of a CA with --tls-ca or PARLEY_TLS_CA`,
  );
}

/** True: the address was found in a data directory, and another engine there may have another one. */
export function isDiscovered(options: LocateOptions): boolean {
  return givenUrl(options) === undefined;
}

/** A header cannot hold anything else, and what refuses it there shows it. */
function checkedToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const message =
    "the token holds something that is no visible ASCII, such as a line end; check PARLEY_TOKEN or the file";
  throw new DomainError("invalid", "INVALID_CONFIG", message);
}

/**
 * The token that opens an engine. The one in the data directory always does for the engine there, and is never sent to another
 * machine.
 * @throws DomainError unavailable `TOKEN_NOT_FOUND`.
 */
export function locateToken(options: LocateOptions, url?: string): string {
  const { dataDir: givenDir, env } = options;
  const dataDir = readDataDir(env, givenDir);
  const isHere = url === undefined || isLoopback(url);
  const kept = (): string | undefined => (isHere ? readText(join(dataDir, "token"))?.trim() : undefined) || undefined;
  const named = env["PARLEY_TOKEN"] || undefined;
  const token = options.token ?? (givenDir === undefined ? (named ?? kept()) : (kept() ?? named));
  if (token !== undefined) return checkedToken(token);
  if (!isHere)
    throw new DomainError("invalid", "INVALID_CONFIG", `no token for ${url}; set PARLEY_TOKEN to that engine's`);
  throw new DomainError(
    "unavailable",
    "TOKEN_NOT_FOUND",
    `no token in ${dataDir}; ${startHint(options)} makes one, or set PARLEY_TOKEN`,
  );
}

function givenUrl(options: LocateOptions): string | undefined {
  if (options.url !== undefined) return options.url;
  return options.dataDir === undefined ? options.env["PARLEY_URL"] || undefined : undefined;
}

function checkedUrl(text: string): string {
  const socket = readSocketUrl(text);
  if (socket !== undefined) return `unix:${socket}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new DomainError(
      "invalid",
      "INVALID_CONFIG",
      `${text} is no URL; write it like http://127.0.0.1:7433, or unix:/path/of/engine.sock`,
    );
  }
  return text.replace(/\/+$/, "");
}

interface FoundEngine {
  readonly url: string;
  readonly pid: number;
  readonly certificate: string | undefined;
}

function readEngineFile(dataDir: string, hint: string): FoundEngine {
  const start = `start one with ${hint}, or name another with PARLEY_URL`;
  const file = parseEngineFile(readText(join(dataDir, "engine.json")));
  if (file === undefined) throw notRunning(`no engine is running on ${dataDir}; ${start}`);
  if (!isAlive(file.pid)) throw notRunning(`the engine on ${dataDir} is gone (it was process ${file.pid}); ${start}`);
  return file;
}

function parseEngineFile(text: string | undefined): FoundEngine | undefined {
  if (text === undefined) return undefined;
  try {
    const { url, pid, certificate } = JSON.parse(text) as Record<string, unknown>;
    if (typeof url !== "string" || !URL.canParse(url) || !Number.isSafeInteger(pid)) return undefined;
    return { url, pid: pid as number, certificate: typeof certificate === "string" ? certificate : undefined };
  } catch {
    // Not what an engine writes, so none has.
    return undefined;
  }
}

function startHint(options: LocateOptions): string {
  return options.dataDir === undefined ? "`parley serve`" : `\`parley serve --data-dir ${options.dataDir}\``;
}

function notRunning(message: string): DomainError {
  return new DomainError("unavailable", "ENGINE_NOT_RUNNING", message);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new DomainError(
      "unavailable",
      "ENGINE_NOT_READABLE",
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive too.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether a URL always means this machine. */
export function isLoopback(url: string): boolean {
  if (readSocketUrl(url) !== undefined) return true;
  return URL.canParse(url) && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
}
