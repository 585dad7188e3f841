// One ESM bundle: dist/parley.js, which bin/parley runs. Spawn to ready takes half as long as from node_modules.
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { root } from "./files.mjs";

const dist = join(root, "dist");
const dayMs = 86_400_000;

/**
 * An ES import of a built-in module loads it and reads each of its exports, and one of node:http's loads the whole of fetch:
 * a good part of a start. Here each export is a getter, so a built-in loads when something of it is first used. The getters
 * are inherited: each chunk that imports a module makes itself a copy of what the module has of its own. What CommonJS
 * requires, and modules that are functions, are taken as they are.
 */
const lazyBuiltins = {
  name: "lazy-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, kind }) => {
      if (!isBuiltin(path)) return undefined;
      const name = path.replace(/^node:/, "");
      const isLazy = kind === "import-statement" && typeof process.getBuiltinModule(name) === "object";
      return { path: name, namespace: isLazy ? "lazy-builtin" : "builtin" };
    });
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:${path}");`,
      loader: "js",
    }));
    onLoad({ filter: /./, namespace: "lazy-builtin" }, ({ path }) => ({
      contents: `let loaded;
const load = () => (loaded ??= process.getBuiltinModule("node:${path}"));
const inherited = {};
for (const name of ${JSON.stringify(Object.keys(process.getBuiltinModule(path)))})
  Object.defineProperty(inherited, name, { enumerable: true, get: () => load()[name] });
module.exports = Object.create(inherited);`,
      loader: "js",
    }));
  },
};

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: { main: "src/main.ts" },
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  outdir: dist,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node22.18",
  // They find their binaries from where their packages lie: native addons, a parser, and what sandboxes are made with.
  external: ["better-sqlite3", "web-tree-sitter", "mdream", "@anthropic-ai/sandbox-runtime"],
  plugins: [lazyBuiltins],
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "none",
  minifySyntax: true,
  minifyWhitespace: true,
  // CommonJS packages inside an ES module still ask for these.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url),__filename=import.meta.filename,__dirname=import.meta.dirname;',
  },
  write: false,
  logLevel: "warning",
});

// For a package: nothing of an older build may be shipped.
if (process.argv.includes("--clean")) rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
for (const file of outputFiles) replace(file.path, file.contents);

// The entry turns V8's code cache on before anything heavy loads; NODE_COMPILE_CACHE would be inherited by every tool the engine starts.
const main = outputFiles.map((file) => basename(file.path)).find((name) => /^main-\w+\.js$/.test(name));
replace(
  join(dist, "parley.js"),
  `import { constants, enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
const { status } = enableCompileCache(join(import.meta.dirname, ".cache"));
// An installed package may be read-only.
if (status === constants.compileCacheStatus.FAILED) enableCompileCache(join(homedir(), ".cache", "parley"));
await import("./${main}");
`,
);

// Not at once: an engine that runs from an older build may still load its chunks.
const current = new Set(["parley.js", ...outputFiles.map((file) => basename(file.path))]);
for (const name of readdirSync(dist)) {
  if (!/\.js(\.map)?$/.test(name) || current.has(name)) continue;
  if (Date.now() - statSync(join(dist, name)).mtimeMs > dayMs) rmSync(join(dist, name));
}

function replace(path, content) {
  writeFileSync(`${path}.tmp`, content);
  renameSync(`${path}.tmp`, path);
}
