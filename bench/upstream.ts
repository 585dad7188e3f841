// A program: an OpenAI-compatible chat-completions server that is never the bottleneck. Prints its base URL.
// It writes HTTP by hand, each token with one write to the socket: node:http takes twice as long for a chunk.
import { createServer, type AddressInfo, type Socket } from "node:net";
import { answerOf, tokenAt, type Answer } from "./tokens.ts";

const HEAD = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
);
const NOT_FOUND = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** The pieces of an answer as they go over the wire, made once for each model. */
interface Wire {
  readonly start: Buffer;
  readonly tokens: readonly Buffer[];
  readonly end: Buffer;
  readonly whole: Buffer;
}
const wires = new Map<string, Wire>();

function wireOf(model: string, answer: Answer): Wire {
  let wire = wires.get(model);
  if (wire === undefined) {
    wire = makeWire(model, answer);
    wires.set(model, wire);
  }
  return wire;
}

function makeWire(model: string, answer: Answer): Wire {
  const base = { id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_790_000_000, model };
  const choice = (delta: object, reason: string | null): Buffer =>
    event(JSON.stringify({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }] }));
  const usage = { prompt_tokens: 10, completion_tokens: answer.tokens, total_tokens: 10 + answer.tokens };
  const start = Buffer.concat([HEAD, choice({ role: "assistant", content: "" }, null)]);
  const tokens = Array.from({ length: answer.tokens }, (_, i) => choice({ content: tokenAt(i) }, null));
  const end = Buffer.concat([
    choice({}, "stop"),
    event(JSON.stringify({ ...base, choices: [], usage })),
    event("[DONE]"),
    LAST_CHUNK,
  ]);
  return { start, tokens, end, whole: Buffer.concat([start, ...tokens, end]) };
}

/** One event as one chunk of the body. */
function event(data: string): Buffer {
  const text = `data: ${data}\n\n`;
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

/** Writes each token when it is due by the time since the start: a late one makes none after it late. */
function pace(socket: Socket, wire: Wire, perSecond: number, done: () => void): void {
  const startMs = performance.now();
  let next = 0;
  socket.write(wire.start);
  const tick = (): void => {
    if (socket.destroyed) return;
    const elapsedMs = performance.now() - startMs;
    for (; next < wire.tokens.length && (next * 1000) / perSecond <= elapsedMs; next++) {
      socket.write(wire.tokens[next] ?? LAST_CHUNK);
    }
    if (next < wire.tokens.length) {
      setTimeout(tick, Math.ceil((next * 1000) / perSecond - elapsedMs));
      return;
    }
    socket.write(wire.end);
    done();
  };
  tick();
}

function serve(socket: Socket): void {
  let input: Buffer = Buffer.alloc(0);
  let isAnswering = false;

  function answerNext(): void {
    if (isAnswering) return;
    const headEnd = input.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(input.toString("latin1", 0, headEnd))?.[1] ?? 0);
    const bodyEnd = headEnd + 4 + length;
    if (input.length < bodyEnd) return;
    const body = input.toString("utf8", headEnd + 4, bodyEnd);
    input = input.subarray(bodyEnd);
    isAnswering = true;
    answer(body, () => {
      isAnswering = false;
      answerNext();
    });
  }

  function answer(body: string, done: () => void): void {
    const model = /"model":"(bench-[\d-]+)"/.exec(body)?.[1] ?? "";
    const asked = answerOf(model);
    if (asked === undefined) {
      socket.write(NOT_FOUND);
      return done();
    }
    const wire = wireOf(model, asked);
    if (asked.perSecond > 0) return pace(socket, wire, asked.perSecond, done);
    socket.write(wire.whole);
    done();
  }

  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("data", (data) => {
    input = input.length === 0 ? data : Buffer.concat([input, data]);
    answerNext();
  });
}

const server = createServer(serve);
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => {
  console.log(`READY http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
});
process.on("disconnect", () => process.exit());
