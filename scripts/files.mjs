// What the scripts share. Node 20 must run it, before anything is installed.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Paths of all files under a folder, sorted, relative to the base. */
export function filesUnder(path, keep = () => true, base = root) {
  const full = join(base, path);
  if (!existsSync(full)) return [];
  const entries = readdirSync(full, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(base, join(entry.parentPath ?? entry.path, entry.name)))
    .filter(keep)
    .sort();
}

/** One SHA-256 over names and contents of files. */
export function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const content = existsSync(join(root, file)) ? readFileSync(join(root, file)) : "absent";
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

export function readOr(path, fallback) {
  const full = join(root, path);
  return existsSync(full) ? readFileSync(full, "utf8") : fallback;
}

/** What gen/ and docs/api/ are made from. */
export function protoSources() {
  const templates = ["buf.gen.yaml", "buf.gen.go.yaml", "buf.gen.python.yaml"];
  return [...filesUnder("proto", (file) => file.endsWith(".proto")), ...templates, ...filesUnder("scripts/reference")];
}

export const protoStamp = "gen/protos.sha256";
