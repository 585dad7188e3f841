import { expect, test } from "vitest";
import { MAX_MESSAGE_BYTES } from "../../message/message.ts";
import { UsageError } from "../failure.ts";
import { checkSaidBytes } from "./said-text.ts";

test("as much may be said as the engine takes, and not a byte more", () => {
  expect(() => checkSaidBytes(MAX_MESSAGE_BYTES, "do that")).not.toThrow();
  expect(() => checkSaidBytes(MAX_MESSAGE_BYTES + 1, "do that")).toThrow(
    new UsageError("the text has 1048577 bytes, and a message holds 1048576 (1 MiB); do that"),
  );
});
