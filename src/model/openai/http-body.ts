import type { IncomingMessage } from "node:http";
import type { Clock } from "../../clock.ts";

/** What may wait to be read before the provider is told to wait. */
const MAX_BUFFERED_BYTES = 256 * 1024;
/** After the stream's own end the connection's follows at once; one that does not come is not worth keeping. */
const DRAIN_MS = 1_000;

/**
 * The body of an answer, whatever has come since the last read in one piece: chunks of one read of the socket are
 * decoded together. Throws where the connection ends before the body does.
 */
export function readBody(answer: IncomingMessage, clock: Clock): AsyncIterableIterator<Uint8Array> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let wake: (() => void) | undefined;
  let isEnded = false;
  let failure: Error | undefined;

  const fail = (error: Error): void => {
    failure ??= error;
    wake?.();
  };
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BUFFERED_BYTES) answer.pause();
    wake?.();
  };
  answer.on("data", onData);
  answer.on("error", fail);
  answer.on("end", () => {
    isEnded = true;
    wake?.();
  });
  answer.on("close", () => {
    if (!isEnded) fail(new Error("connection closed"));
  });

  return {
    async next() {
      if (chunks.length === 0 && !isEnded && failure === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
      }
      wake = undefined;
      const [first] = chunks;
      if (first !== undefined) {
        const value = chunks.length === 1 ? first : Buffer.concat(chunks, bytes);
        chunks = [];
        bytes = 0;
        if (answer.isPaused()) answer.resume();
        return { value, done: false };
      }
      if (failure !== undefined) throw failure;
      return { value: undefined, done: true };
    },
    async return() {
      answer.off("data", onData);
      chunks = [];
      drain(answer, clock);
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Reads on to the end of the answer, so that its connection can be used again. */
function drain(answer: IncomingMessage, clock: Clock): void {
  if (answer.readableEnded || answer.destroyed) return;
  const cancel = clock.after(DRAIN_MS, () => answer.destroy());
  answer.once("close", cancel);
  answer.resume();
}
