// dist/lib: what the package exports, as JavaScript with types.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./files.mjs";

const lib = join(root, "dist/lib");
rmSync(lib, { recursive: true, force: true });
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });

const migrations = "src/store/migrations";
if (existsSync(join(root, migrations))) cpSync(join(root, migrations), join(lib, migrations), { recursive: true });
