// The guard off: a server that keeps a queue for each of its readers, as one does that writes and does not look whether
// anybody reads. Any request is a reader; each line on stdin says how many kilobytes of text to send to all of them.
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";

const readers = new Set<ServerHttp2Stream>();
const server = createServer();
server.on("sessionError", () => {});
server.on("stream", (stream) => {
  stream.on("error", () => {});
  stream.once("close", () => readers.delete(stream));
  stream.respond({ ":status": 200 });
  readers.add(stream);
});
server.listen(0, "127.0.0.1", () => console.log(`READY http://127.0.0.1:${(server.address() as AddressInfo).port}`));

createInterface({ input: process.stdin }).on("line", (line) => {
  for (let i = 0; i < Number(line); i++) {
    // Each reader has a message of its own, as it has where messages are encoded for each.
    for (const reader of readers) reader.write(Buffer.alloc(1024, "a"));
  }
  console.log("SAID");
});
