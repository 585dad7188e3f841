import { StringDecoder } from "node:string_decoder";
import { createParser } from "eventsource-parser";
import { ModelError } from "../model.ts";

/** No event of a stream is this long; all of an event is kept until its end has come. */
const MAX_EVENT_CHARS = 8 * 1024 * 1024;

/** One event of a provider's stream. */
export interface ServerSentEvent {
  /** Empty where the provider names none. */
  readonly name: string;
  readonly data: string;
}

/** Decodes a stream of server-sent events, cut anywhere. */
export interface EventDecoder {
  /** Tells of every event that ends in this piece. Throws ModelError for one that is too long, and what the listeners throw. */
  feed(bytes: Uint8Array): void;
}

/** `onComment` is told of lines that say nothing: providers send them to show that they are alive. */
export function createEventDecoder(onEvent: (event: ServerSentEvent) => void, onComment: () => void): EventDecoder {
  const decoder = new StringDecoder("utf8");
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: ({ event = "", data }) => onEvent({ name: event, data }),
    onComment,
    onError(error) {
      // Fields that nobody knows are left out, as the standard wants it.
      if (error.type !== "max-buffer-size-exceeded") return;
      throw new ModelError("PROVIDER_GARBAGE", "the provider's stream has an event of more than 8 MiB", {
        retryable: false,
      });
    },
  });
  return { feed: (bytes) => parser.feed(decoder.write(bytes)) };
}
