import { locateToken } from "../client/locate-engine.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";

/** Asks no engine: the token stays the same over restarts. */
export async function token({ env, globals, json, out }: Context): Promise<ExitCode> {
  const text = locateToken({ env, dataDir: globals.dataDir }, globals.url ?? undefined);
  out.write(json ? `${JSON.stringify({ token: text })}\n` : `${text}\n`);
  return EXIT.ok;
}
