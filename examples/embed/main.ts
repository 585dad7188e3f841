// npx node examples/embed/main.ts "what time is it?"
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embed } from "./embed.ts";

const dataDir = mkdtempSync(join(tmpdir(), "parley-embed-"));
try {
  console.log(await embed(dataDir, process.argv[2] ?? "what time is it?"));
} finally {
  rmSync(dataDir, { recursive: true });
}
