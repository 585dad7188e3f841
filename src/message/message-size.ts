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

function sizeOf(part: Part): number {
  if (part.kind !== "tool_call") return Buffer.byteLength(part.text);
  return Buffer.byteLength(part.invalidArguments ?? JSON.stringify(part.arguments));
}
