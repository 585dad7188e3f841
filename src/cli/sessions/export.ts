import { once } from "node:events";
import { open, rename, rm } from "node:fs/promises";
import type { Client } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { formatBytes } from "../format.ts";
import { onInterrupt } from "../interrupt.ts";
import { createProgress } from "../progress.ts";
import { resolveSessions } from "../session-ref.ts";

export interface ExportOptions {
  /** A file; stdout unless given. */
  readonly output?: string;
}

/** All sessions unless some are named. A file is there whole or not at all. */
export async function exportSessions(
  context: Context,
  given: readonly string[],
  { output = "-" }: ExportOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const sessionIds = [...new Set(await resolveSessions(client, given))];
  const controller = new AbortController();
  const off = onInterrupt(() => controller.abort());
  const progress = createProgress(context, output === "-" && context.out.isTerminal);
  try {
    const pieces = readExport(client, sessionIds, controller.signal, progress.add);
    if (output === "-") await writeToStdout(context.stdout, pieces);
    else await writeToFile(output, pieces);
  } catch (error) {
    if (controller.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
    progress.end();
  }
  if (output !== "-" && context.err.isTerminal) context.note(`wrote ${formatBytes(progress.bytes())} to ${output}`);
  return EXIT.ok;
}

async function* readExport(
  client: Client,
  sessionIds: readonly string[],
  signal: AbortSignal,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const { data } of client.sessions.exportSessions({ sessionIds: [...sessionIds] }, { signal })) {
    onBytes(data.length);
    yield data;
  }
}

/** Whoever reads slowly slows the engine's stream, and nothing piles up here. */
async function writeToStdout(stdout: NodeJS.WriteStream, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces) if (!stdout.write(piece)) await once(stdout, "drain");
}

async function writeToFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  // Conversations are nobody else's.
  const partial = `${path}.${process.pid}.partial`;
  const file = await open(partial, "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${path} cannot be written (${error.code}); name another file with -o`);
  });
  try {
    for await (const piece of pieces) await file.write(piece);
    await file.sync();
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close();
    await rm(partial, { force: true });
    throw error;
  }
}
