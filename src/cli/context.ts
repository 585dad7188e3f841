import type { Client } from "../client/client.ts";
import type { Environment } from "../config.ts";
import { createOutput, type Output } from "./output.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly dataDir?: string;
  readonly tlsCa?: string;
  readonly color?: boolean;
}

/** What a command works with. */
export interface Context {
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly out: Output;
  readonly err: Output;
  readonly json: boolean;
  readonly globals: GlobalOptions;
  /** Finds the engine. Closed with the context. Loaded with its first use: neither `serve` nor `--help` needs one. */
  client(): Promise<Client>;
  /** A command line to tell the user: with the options that lead to the same engine. */
  commandLine(command: string): string;
  /** One line on stderr. */
  note(text: string): void;
  close(): void;
}

export function createContext(globals: GlobalOptions): Context {
  // oxlint-disable-next-line node/no-process-env -- the one place where the command line reads it; everything below gets it as an argument
  const env = process.env;
  const options = { color: globals.color !== false, env };
  const err = createOutput(process.stderr, options);
  let client: Client | undefined;
  return {
    env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    out: createOutput(process.stdout, options),
    err,
    json: globals.json === true,
    globals,
    async client() {
      const { createClient } = await import("../client/client.ts");
      return (client ??= createClient({ url: globals.url, dataDir: globals.dataDir, tlsCa: globals.tlsCa, env }));
    },
    commandLine(command) {
      const { url, tlsCa } = globals;
      // Another terminal may not have this one's environment.
      const dataDir = globals.dataDir ?? env["PARLEY_DATA_DIR"];
      const where = [
        url && ` --url ${quoted(url)}`,
        dataDir && ` --data-dir ${quoted(dataDir)}`,
        tlsCa && ` --tls-ca ${quoted(tlsCa)}`,
      ];
      return `${commandName(env)} ${command}${where.filter(Boolean).join("")}`;
    },
    note: (text) => err.write(`${err.style.dim(`parley: ${err.foreignLine(text)}`)}\n`),
    close: () => client?.close(),
  };
}

/** As a shell wants it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** As it was typed, where that was a path from here; found by PATH, the shell hands over the whole path. */
function commandName(env: Environment): string {
  const typed = env["PARLEY_COMMAND"];
  return typed === undefined || typed.startsWith("/") ? "parley" : typed;
}
