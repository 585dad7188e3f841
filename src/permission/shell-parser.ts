import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import type { Parser, Tree } from "web-tree-sitter";

/** A parse that takes longer is no command that anybody wrote. */
const MAX_PARSE_MS = 250;

let loading: Promise<Parser> | undefined;

/** Parses text as bash; undefined where it took too long. The caller deletes the tree. */
export async function parseBash(text: string): Promise<Tree | undefined> {
  loading ??= load();
  const parser = await loading;
  const endMs = performance.now() + MAX_PARSE_MS;
  const tree = parser.parse(text, null, { progressCallback: () => performance.now() > endMs });
  // What was cut off must not be gone on with.
  parser.reset();
  return tree ?? undefined;
}

/** Most engines never need it: a megabyte and a half of grammar. */
async function load(): Promise<Parser> {
  // One function of the grammar is so large that to optimize it takes half a gigabyte for seconds, and makes no command faster. Of
  // the options that keep V8 from it, this one is heard while it runs: functions of modules are optimized if they are the first one.
  setFlagsFromString("--wasm-tier-up-filter=0");
  const { Language, Parser: TreeParser } = await import("web-tree-sitter");
  const { resolve } = createRequire(import.meta.url);
  const wasmBinary = await readFile(resolve("web-tree-sitter/web-tree-sitter.wasm"));
  await TreeParser.init({ wasmBinary });
  const parser = new TreeParser();
  parser.setLanguage(await Language.load(await readFile(resolve("tree-sitter-bash/tree-sitter-bash.wasm"))));
  return parser;
}
