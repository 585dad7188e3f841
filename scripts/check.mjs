// npm run check: every check, also after one failed; prints only what failed.
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { root } from "./files.mjs";

const checks = {
  types: "tsc && tsc -p examples/browser",
  lint: "oxlint --type-aware --deny-warnings",
  imports: "depcruise src --output-type err-long",
  unused: "knip --no-progress",
  format: "oxfmt --check",
  "proto lint": "buf lint",
  "proto breaking": "buf breaking --against proto/baseline.binpb",
  "generated code": "node scripts/generate.mjs --check",
};

const PATH = [join(root, "node_modules/node/bin"), join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
const only = process.argv.slice(2);
let failed = 0;
for (const [name, command] of Object.entries(checks)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(command, {
    cwd: root,
    shell: true,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    env: { ...process.env, PATH },
  });
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  if (status === 0) continue;
  failed++;
  console.log(`$ ${command}\n${stdout}${stderr}`);
}
if (failed > 0) console.log(`${failed} checks failed`);
process.exitCode = failed > 0 ? 1 : 0;
