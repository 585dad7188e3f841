import { toJsonString } from "@bufbuild/protobuf";
import { AuditEntrySchema, type Client } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { onInterrupt } from "../interrupt.ts";
import { writePieces } from "../view/write-pieces.ts";
import { type EntryOptions, readEntries } from "./entries.ts";

/** JSON lines, the newest entry first; to stdout unless a file is named. */
export async function exportEntries(
  context: Context,
  { output = "-", ...options }: EntryOptions & { readonly output?: string },
): Promise<ExitCode> {
  const client = await context.client();
  const controller = new AbortController();
  const off = onInterrupt(() => controller.abort());
  try {
    await writePieces(context.stdout, output, lines(client, options, controller.signal));
  } catch (error) {
    if (controller.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
  }
  return EXIT.ok;
}

async function* lines(client: Client, options: EntryOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const entry of readEntries(client, options, Infinity, signal)) {
    yield Buffer.from(`${toJsonString(AuditEntrySchema, entry)}\n`);
  }
}
