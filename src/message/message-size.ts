import { DomainError } from "../errors.ts";
import { MAX_MESSAGE_BYTES, type Part } from "./message.ts";

/** Throws DomainError `MESSAGE_TOO_LARGE` where the parts of one message are more than it may hold. */
export function checkSize(parts: readonly Part[]): void {
  const bytes = parts.reduce((sum, part) => sum + sizeOf(part), 0);
  if (bytes <= MAX_MESSAGE_BYTES) return;
  throw new DomainError(
    "invalid",
    "MESSAGE_TOO_LARGE",
    `parts: ${bytes} bytes; a message holds at most ${MAX_MESSAGE_BYTES}`,
    {
      bytes: String(bytes),
      max_bytes: String(MAX_MESSAGE_BYTES),
    },
  );
}

/** What a picture or a file holds is no part of the message. */
function sizeOf(part: Part): number {
  switch (part.kind) {
    case "text":
    case "reasoning":
    case "tool_result":
      return Buffer.byteLength(part.text);
    case "tool_call":
      return Buffer.byteLength(part.invalidArguments ?? JSON.stringify(part.arguments));
    case "image":
      return 0;
    case "file":
      return Buffer.byteLength(part.name);
  }
}
