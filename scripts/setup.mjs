// Before npm start and npm test: installs, generates and builds what is missing or old, and is silent when nothing is.
// It runs on the system's Node (20 or newer) with no dependencies; what it starts runs on the project's own.
import { execFileSync } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { filesUnder, hashOf, protoSources, protoStamp, readOr, root } from "./files.mjs";

const installStamp = "node_modules/.parley-install.sha256";
const node = join(root, "node_modules/node/bin/node");
const env = {
  ...process.env,
  PATH: [join(root, "node_modules/node/bin"), join(root, "node_modules/.bin"), process.env.PATH].join(delimiter),
};

install();
// npm run check must see gen/ as it was committed.
if (!process.argv.includes("--install-only")) {
  generate();
  build();
}

function install() {
  const wanted = hashOf(["package-lock.json", "package.json"]);
  if (existsSync(node) && readOr(installStamp, "").trim() === wanted) return;
  if (existsSync(node) && installedMatchesLock()) return writeFileSync(join(root, installStamp), wanted);
  step("installing packages (npm ci)", "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(join(root, installStamp), wanted);
}

// Somebody ran npm install or npm ci by hand: npm's own record then says the same as the lock file, and a second install would be for nothing.
function installedMatchesLock() {
  const [lock, installed] = ["package-lock.json", "node_modules/.package-lock.json"].map(
    (file) => JSON.parse(readOr(file, "{}")).packages ?? {},
  );
  return Object.entries(lock).every(
    ([path, entry]) => path === "" || installed[path]?.version === entry.version || entry.optional || entry.peer,
  );
}

function generate() {
  if (readOr(protoStamp, "").trim() === hashOf(protoSources())) return;
  step("generating code from the protos", node, ["scripts/generate.mjs"]);
}

// The same question as bin/parley asks: is something younger than the bundle? Both must agree, or the launcher runs from source.
function build() {
  if (!existsSync(join(root, "src/main.ts"))) return;
  const bundle = join(root, "dist/parley.js");
  const built = existsSync(bundle) ? statSync(bundle).mtimeMs : 0;
  const inputs = [
    "package-lock.json",
    "scripts/build.mjs",
    ...["src", "gen/ts"].flatMap((folder) => [folder, ...filesUnder(folder)]),
  ];
  if (inputs.some((file) => statSync(join(root, file)).mtimeMs > built))
    step("building dist/", node, ["scripts/build.mjs"]);
}

function step(title, command, args) {
  console.error(`parley: ${title} ...`);
  // Standard output belongs to the command that follows (its READY line, its JSON).
  execFileSync(command, args, { cwd: root, env, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
}
