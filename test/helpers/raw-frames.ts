// HTTP/2 frames by hand (RFC 9113, section 6), for clients that no library would be.

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const TYPES = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;

function frame(
  type: keyof typeof TYPES,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(TYPES[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}

/** RFC 7541, section 6.2.2: literal fields without indexing and without Huffman coding. */
function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function requestFields(port: number): Record<string, string> {
  return { ":method": "POST", ":scheme": "http", ":path": "/healthz", ":authority": `127.0.0.1:${port}` };
}

export const settings = (): Buffer => frame("settings", 0, 0);

export const ping = (payload: string): Buffer => frame("ping", 0, 0, Buffer.from(payload.padEnd(8).slice(0, 8)));

/** A request that is taken back at once. */
export const requestAndReset = (port: number, streamId: number): Buffer => {
  const cancel = Buffer.alloc(4);
  cancel.writeUInt32BE(8);
  return Buffer.concat([
    frame("headers", END_HEADERS, streamId, headerBlock(requestFields(port))),
    frame("rstStream", 0, streamId, cancel),
  ]);
};

/** A request whose headers go on in `count` more frames; the last one ends them only where `ends` says so. */
export const continued = (port: number, streamId: number, count: number, ends: boolean): Buffer =>
  Buffer.concat([
    frame("headers", END_STREAM, streamId, headerBlock(requestFields(port))),
    ...Array.from({ length: count }, (_, index) =>
      frame(
        "continuation",
        ends && index === count - 1 ? END_HEADERS : 0,
        streamId,
        headerBlock({ "x-more": `${index}` }),
      ),
    ),
  ]);

/** Whether the answer to a ping with this payload is among the bytes. */
export function hasPong(received: Buffer, payload: string): boolean {
  return received.includes(frame("ping", ACK, 0, Buffer.from(payload.padEnd(8).slice(0, 8))));
}
