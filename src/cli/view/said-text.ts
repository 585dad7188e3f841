import { UsageError } from "../failure.ts";

/** The engine takes no message whose parts are more together. */
export const MAX_SAID_BYTES = 1024 * 1024;

/**
 * Throws UsageError where a text is more than a message holds, with what to do instead. To be called before the text is sent:
 * what is larger than any call may be is not refused with a reason, but breaks the connection.
 */
export function checkSaidBytes(bytes: number, instead: string): void {
  if (bytes <= MAX_SAID_BYTES) return;
  throw new UsageError(`the text has ${bytes} bytes, and a message holds ${MAX_SAID_BYTES} (1 MiB); ${instead}`);
}
