import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { toJsonString } from "@bufbuild/protobuf";
import { ImportSessionsResponseSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { formatCount } from "../view/format.ts";
import { onInterrupt } from "../interrupt.ts";
import { uploadBlobs } from "./blobs-beside.ts";
import { cutIntoBlobs } from "./import-pieces.ts";
import { createProgress } from "../view/progress.ts";

/** A large file takes its time, all of it in one transaction. */
const TIMEOUT_MS = 3_600_000;

export interface ImportOptions {
  /** A folder with pictures and files, as an export left it. */
  readonly blobs?: string;
}

/** Uploads a file in pieces, then makes its sessions: all of them, or none. */
export async function importSessions(context: Context, file: string, options: ImportOptions): Promise<ExitCode> {
  const { out, json, stdin } = context;
  const client = await context.client();
  const controller = new AbortController();
  const { signal } = controller;
  const off = onInterrupt(() => controller.abort());
  const progress = createProgress(context);
  try {
    // First: what nothing refers to yet is kept for a day.
    if (options.blobs !== undefined) await uploadBlobs(client, options.blobs, signal);
    const blobs: string[] = [];
    for await (const piece of cutIntoBlobs(file === "-" ? stdin : createReadStream(file))) {
      const { sha256 } = await client.uploadBlob(piece, { contentType: "application/jsonl", signal });
      blobs.push(sha256);
      progress.add(piece.length);
    }
    if (blobs.length === 0)
      throw new UsageError(`${file === "-" ? "stdin" : file} is empty; give an export of sessions`);
    const request = { blobs, idempotencyKey: randomUUID() };
    const done = await client.sessions.importSessions(request, { signal, timeoutMs: TIMEOUT_MS });
    progress.end();
    if (json) out.write(`${toJsonString(ImportSessionsResponseSchema, done)}\n`);
    else {
      out.write(
        `imported ${formatCount(done.sessionCount, "session")}, ${formatCount(done.messageCount, "message")}\n`,
      );
      for (const { from, to } of done.renamed) out.write(`${from} was taken and is ${to} here\n`);
    }
    return EXIT.ok;
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw unreadable(error, file);
  } finally {
    off();
    progress.end();
  }
}

function unreadable(error: unknown, file: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new UsageError(
    `${file} cannot be read (${code}); give a file that \`parley sessions export\` wrote, or - for stdin`,
  );
}
