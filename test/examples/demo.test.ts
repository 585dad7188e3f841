import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../third-party/place.ts";
import { run } from "../third-party/programs.ts";

test("the tour plays to its end, without a key and without colours in a pipe, and leaves nothing behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-tour-"));
  try {
    const { status, stdout, stderr } = await run(process.execPath, [join(ROOT, "examples/demo/main.ts")], {
      env: { TMPDIR: folder, PARLEY_URL: "http://127.0.0.1:1", OPENAI_API_KEY: "never used" },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const story = stdout.toString();
    for (const told of [
      "1. Looking needs nobody's leave",
      "✓ allowed once by ada · write_file hello.txt",
      "  │ -Hello, world\n  │ +Hello, Ada\n",
      "✗ denied by ada: I still need my notes",
      "and from now on: allow shell touch done.txt (session)",
      "⟲ as before the turn again: hello.txt",
      "kill -9, and the engine is started again.",
      "→ tea by ada",
    ]) {
      expect(story).toContain(told);
    }
    expect(story).not.toContain("\u001B");
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
