import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
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
  const { Language, Parser: TreeParser } = await import("web-tree-sitter");
  const { resolve } = createRequire(import.meta.url);
  const wasmBinary = await readFile(resolve("web-tree-sitter/web-tree-sitter.wasm"));
  await TreeParser.init({ wasmBinary });
  const parser = new TreeParser();
  parser.setLanguage(await Language.load(await readFile(resolve("tree-sitter-bash/tree-sitter-bash.wasm"))));
  return parser;
}
