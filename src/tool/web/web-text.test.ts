import { expect, test } from "vitest";
import { readWebText } from "./web-text.ts";

async function textOf(html: string): Promise<string> {
  const { text } = await readWebText({
    bytes: Buffer.from(html),
    contentType: "text/html; charset=utf-8",
    url: new URL("https://example.com/"),
    isRaw: false,
    signal: new AbortController().signal,
  });
  return text;
}

/** How often others had their turn while this was done. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work.finally(() => (isOver = true));
  return turns;
}

test("a character on the border of two pieces of a page stays whole", async () => {
  expect((await textOf(`<p>${"😀".repeat(100_000)}</p>`)) === "😀".repeat(100_000)).toBe(true);
});

test.each([
  ["deep", "<div>".repeat(500_000)],
  ["never closed", "<b><i>".repeat(200_000)],
  ["in quotes to its end", '<a href="'.repeat(300_000)],
  ["a comment to its end", "<!--".repeat(300_000)],
])("others have their turn while a large page is read that is %s", async (_what, html) => {
  // The converter is loaded once, and that takes turns, too.
  await textOf("x");
  expect(await turnsDuring(textOf(`${html}x`))).toBeGreaterThan(html.length / 100_000);
});
