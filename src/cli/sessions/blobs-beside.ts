import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Client, reasonOf } from "../../client/client.ts";
import { UsageError } from "../failure.ts";

const BLOB_NAME = /^[0-9a-f]{64}$/;
const NAMED = /"(?:sha256|blob)":"([0-9a-f]{64})"/g;
/** A name may be cut by the end of a piece: so much of its end is looked at again. */
const OVERLAP = 100;

/** Finds the blobs that an export names, while it goes by. What only looks like a name is no blob, and is passed over later. */
export async function* findBlobs(pieces: AsyncIterable<Uint8Array>, found: Set<string>): AsyncGenerator<Uint8Array> {
  let tail = "";
  for await (const piece of pieces) {
    const text = tail + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    for (const [, sha256 = ""] of text.matchAll(NAMED)) found.add(sha256);
    tail = text.slice(-OVERLAP);
    yield piece;
  }
}

/** Puts blobs into a folder, each under its hash; those that are there already stay. Returns how many the engine has. */
export async function saveBlobs(
  client: Client,
  folder: string,
  names: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<number> {
  // What an engine knows is nobody else's.
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => refuse(folder, error));
  let saved = 0;
  for (const sha256 of names) {
    const file = join(folder, sha256);
    if ((await stat(file).catch(() => undefined)) === undefined) {
      const bytes = await readIfThere(client, sha256, signal);
      if (bytes === undefined) continue;
      await writeFile(`${file}.partial`, bytes, { mode: 0o600 }).catch((error: unknown) => refuse(folder, error));
      await rename(`${file}.partial`, file);
    }
    saved++;
  }
  return saved;
}

async function readIfThere(client: Client, sha256: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await client.readBlob(sha256, { signal });
  } catch (error) {
    if (reasonOf(error)?.reason === "BLOB_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Uploads the blobs of such a folder. Throws UsageError where one is not what its name says; then none of the rest is uploaded. */
export async function uploadBlobs(client: Client, folder: string, signal: AbortSignal): Promise<number> {
  const all = await readdir(folder).catch((error: unknown) => refuse(folder, error));
  const names = all.filter((name) => BLOB_NAME.test(name));
  for (const name of names) {
    const bytes = await readFile(join(folder, name));
    if (createHash("sha256").update(bytes).digest("hex") !== name) {
      throw new UsageError(`${join(folder, name)} is not what its name says; it was changed or cut off`);
    }
    await client.uploadBlob(bytes, { signal });
  }
  return names.length;
}

function refuse(folder: string, error: unknown): never {
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  throw new UsageError(`${folder} cannot be used (${code}); name another folder with --blobs`);
}
