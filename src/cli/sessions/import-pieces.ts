/** What one blob may hold. */
const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/** Cuts a stream of bytes into pieces as large as a blob may be, and holds one of them. */
export async function* cutIntoBlobs(
  source: AsyncIterable<Uint8Array>,
  maxBytes = MAX_BLOB_BYTES,
): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    let rest = chunk;
    while (size + rest.length >= maxBytes) {
      const room = maxBytes - size;
      yield Buffer.concat([...pieces, rest.subarray(0, room)]);
      pieces = [];
      size = 0;
      rest = rest.subarray(room);
    }
    if (rest.length > 0) pieces.push(rest);
    size += rest.length;
  }
  if (size > 0) yield Buffer.concat(pieces);
}
