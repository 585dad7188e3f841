import type { Client } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatBytes } from "../view/format.ts";
import { findBlobs, saveBlobs } from "./blobs-beside.ts";
import { onInterrupt } from "../interrupt.ts";
import { createProgress } from "../view/progress.ts";
import { resolveSessions } from "../session-ref.ts";
import { writePieces } from "../view/write-pieces.ts";

export interface ExportOptions {
  /** A file; stdout unless given. */
  readonly output?: string;
  /** A folder for pictures and files. */
  readonly blobs?: string;
}

/** All sessions unless some are named. A file is there whole or not at all. */
export async function exportSessions(
  context: Context,
  given: readonly string[],
  { output = "-", blobs }: ExportOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const sessionIds = [...new Set(await resolveSessions(client, given))];
  const controller = new AbortController();
  const off = onInterrupt(() => controller.abort());
  const progress = createProgress(context, output === "-" && context.out.isTerminal);
  try {
    const named = new Set<string>();
    const pieces = readExport(client, sessionIds, controller.signal, progress.add);
    await writePieces(context.stdout, output, findBlobs(pieces, named));
    const saved = blobs === undefined ? 0 : await saveBlobs(client, blobs, named, controller.signal);
    tellBlobs(context, named.size, blobs === undefined ? undefined : { folder: blobs, saved });
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

/** Where pictures and files are, so that nobody takes an export for all there is. */
function tellBlobs(context: Context, named: number, kept: { folder: string; saved: number } | undefined): void {
  if (named === 0) return;
  const count = named === 1 ? "1 picture or file" : `${named} pictures and files`;
  if (kept === undefined) context.note(`${count} stay behind; --blobs FOLDER takes them along`);
  else context.note(`${kept.saved} of ${count} are in ${kept.folder}`);
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
