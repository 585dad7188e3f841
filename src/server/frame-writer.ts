import type { FrameWriter } from "../rpc/frame-writer.ts";
import type { ServerReply } from "./listener.ts";

/**
 * Writes frames of an answer between those of the framework. That works since the framework asks for a message only when the one
 * before is written: what a method writes while it is asked comes between the two.
 */
export function createFrameWriter(reply: ServerReply): FrameWriter {
  let isClosed = false;
  reply.once("close", () => (isClosed = true));
  return {
    isOpen: () => reply.headersSent && !reply.writableEnded && !isClosed,
    write(frames) {
      if (writeTo(reply, frames)) return undefined;
      return new Promise((resolve) => {
        const done = (): void => {
          reply.off("drain", done).off("close", done);
          resolve();
        };
        reply.on("drain", done).on("close", done);
      });
    },
  };
}

/** The two kinds of answers say it in types that are no common one. */
function writeTo(reply: ServerReply, frames: Uint8Array): boolean {
  return "stream" in reply ? reply.write(frames) : reply.write(frames);
}
