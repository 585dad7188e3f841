// npm run generate: gen/ and docs/api/ from proto/. With --check it changes nothing and fails when they are not what it
// would write. Go and Python code is made only where the plugins are installed in the right versions; with CI=true their
// absence is a failure.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { filesUnder, hashOf, protoSources, protoStamp, readOr, root } from "./files.mjs";
import { referencePages } from "./reference/pages.mjs";

// The plugins write their version into every file, so another version would be a difference everywhere.
const goPlugins = { "protoc-gen-go": "1.36.12", "protoc-gen-connect-go": "1.21.1" };
const pythonPlugins = Object.fromEntries(
  readOr("gen/python/pyproject.toml", "")
    .matchAll(/"(protoc-gen-[\w-]+)==([\d.]+)"/g)
    .map(([, plugin, version]) => [plugin, version]),
);

const check = process.argv.includes("--check");
const out = mkdtempSync(join(tmpdir(), "parley-gen-"));
try {
  const env = {
    ...process.env,
    PATH: [join(root, ".venv/bin"), process.env.PATH, goBin()].filter(Boolean).join(delimiter),
  };
  const stale = [...typescript(env), ...go(env), ...python(env), ...reference(), ...stamp()];
  if (check && stale.length > 0) {
    console.error(`generated code is not current, run "npm run generate":\n  ${stale.join("\n  ")}`);
    process.exitCode = 1;
  } else if (!check) {
    console.log(stale.length > 0 ? `generated: ${stale.length} files changed` : "generated: nothing changed");
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}

function typescript(env) {
  buf(env, "buf.gen.yaml");
  return sync("gen/ts", () => true);
}

function go(env) {
  if (!isReady("gen/go", goPlugins, env)) return [];
  buf(env, "buf.gen.go.yaml");
  const modulePath = /go_package_prefix[^]*?value: (\S+)/.exec(readOr("buf.gen.go.yaml", ""))?.[1];
  const goMod = readOr("gen/go/go.mod", "module x\n").replace(/^module .*$/m, `module ${modulePath}`);
  writeFileSync(join(out, "gen/go/go.mod"), goMod);
  return sync("gen/go", (file) => /\.go$|go\.mod$/.test(file));
}

function python(env) {
  if (!isReady("gen/python", pythonPlugins, env)) return [];
  buf(env, "buf.gen.python.yaml");
  return sync("gen/python", (file) => file.endsWith(".py"));
}

/** Whether a language's plugins are there in these versions; says why they are not. */
function isReady(folder, plugins, env) {
  const problems = Object.entries(plugins).flatMap(([plugin, version]) => {
    const found = versionOf(plugin, env);
    if (found === version) return [];
    return [found === undefined ? `${plugin} ${version} is not installed` : `${plugin} is ${found}, not ${version}`];
  });
  if (problems.length === 0) return true;
  if (process.env.CI === "true") throw new Error(`${folder} cannot be generated: ${problems.join("; ")}`);
  console.log(`${folder} left as it is: ${problems.join("; ")}`);
  return false;
}

function reference() {
  const image = join(out, "image.binpb");
  execFileSync(join(root, "node_modules/.bin/buf"), ["build", "-o", image], { cwd: root });
  mkdirSync(join(out, "docs/api"), { recursive: true });
  for (const [page, text] of referencePages(readFileSync(image))) writeFileSync(join(out, "docs/api", page), text);
  return sync("docs/api", (file) => file.endsWith(".md"));
}

// setup.mjs compares this with the protos, so that a fresh clone need not run buf to know that gen/ is current.
function stamp() {
  writeFileSync(join(out, protoStamp), `${hashOf(protoSources())}\n`);
  return sync("gen", (file) => file === protoStamp);
}

function buf(env, template) {
  execFileSync(join(root, "node_modules/.bin/buf"), ["generate", "--template", template, "-o", out], {
    cwd: root,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Makes the kept files of a folder equal to those generated; returns what differed. With --check it only tells. */
function sync(folder, keep) {
  const made = filesUnder(folder, keep, out);
  const stale = made.filter((file) => readOr(file, undefined) !== readFileSync(join(out, file), "utf8"));
  const gone = filesUnder(folder, keep).filter((file) => !made.includes(file));
  if (!check) {
    for (const file of stale) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), readFileSync(join(out, file)));
    }
    for (const file of gone) rmSync(join(root, file));
  }
  return [...stale, ...gone];
}

function goBin() {
  try {
    const [gobin, gopath] = execFileSync("go", ["env", "GOBIN", "GOPATH"], { encoding: "utf8" }).split("\n");
    return gobin || (gopath ? join(gopath, "bin") : undefined);
  } catch {
    return undefined;
  }
}

function versionOf(plugin, env) {
  const found = (env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, plugin)));
  if (!found) return undefined;
  return /\d+\.\d+\.\d+/.exec(execFileSync(plugin, ["--version"], { env, encoding: "utf8" }))?.[0];
}
