import { createContextKey, type ContextKey } from "@connectrpc/connect";

/** Writes messages of a stream that are encoded and framed already, past the framework. The server gives each call its own. */
export interface FrameWriter {
  /** Whether it can be written to: the head of the answer is sent, and its end is not. */
  isOpen(): boolean;
  /** Undefined where more can be written at once; else resolves when it can, or when nobody reads it any more. */
  write(frames: Uint8Array): Promise<void> | undefined;
}

/** Undefined where there is no server, as in a router in memory: all messages then take the framework's way. */
export const frameWriterKey: ContextKey<FrameWriter | undefined> = createContextKey<FrameWriter | undefined>(
  undefined,
  { description: "writes frames of a stream" },
);
