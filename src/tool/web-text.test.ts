import { expect, test } from "vitest";
import { readWebText } from "./web-text.ts";

test("a character on the border of two pieces of a page stays whole", async () => {
  const html = `<p>${"😀".repeat(100_000)}</p>`;
  const { text } = await readWebText({
    bytes: Buffer.from(html),
    contentType: "text/html; charset=utf-8",
    url: new URL("https://example.com/"),
    isRaw: false,
    signal: new AbortController().signal,
  });
  expect(text === "😀".repeat(100_000)).toBe(true);
});
