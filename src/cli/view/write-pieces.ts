import { once } from "node:events";
import { open, rename, rm } from "node:fs/promises";
import { UsageError } from "../failure.ts";

/** Writes to a file, which is there whole or not at all; `-` is stdout. */
export async function writePieces(
  stdout: NodeJS.WriteStream,
  path: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (path === "-") await writeToStdout(stdout, pieces);
  else await writeToFile(path, pieces);
}

/** Whoever reads slowly slows the engine's stream, and nothing piles up here. */
async function writeToStdout(stdout: NodeJS.WriteStream, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces) if (!stdout.write(piece)) await once(stdout, "drain");
}

async function writeToFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  // What an engine knows is nobody else's.
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
