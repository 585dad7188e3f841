import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Parses commands in a process of its own and tells how much memory it had at most, in MiB; optimizing would
 * begin beside that, and has grown large long before they are all parsed. */
async function peakOf(): Promise<number> {
  const script = `
    const { parseBash } = await import(${JSON.stringify(join(import.meta.dirname, "shell-parser.ts"))});
    for (let i = 0; i < 25000; i++) (await parseBash("yes x | head -c 1500 > /dev/null; sleep 3")).delete();
    console.log(process.resourceUsage().maxRSS / 1024);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  return Number(stdout);
}

test("parsing commands takes little memory: the grammar is not optimized", async () => {
  expect(await peakOf()).toBeLessThan(250);
});
