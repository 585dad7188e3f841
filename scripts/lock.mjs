// npm run lock, after a change of dependencies: makes package-lock.json whole for every platform.
// A registry mirror that lacks the binaries of other platforms makes npm leave them out, and npm ci then refuses its own
// lock file. What is missing is exactly pinned by the package that wants it, so it can be written without asking anyone.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./files.mjs";

const path = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
const packages = lock.packages;
let added = 0;
for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const places = [`${parent}/node_modules/${name}`, `node_modules/${name}`];
    if (places.some((place) => packages[place]?.version) || !/^\d+\.\d+\.\d+/.test(version)) continue;
    const place = parent !== "" && packages[places[1]] ? places[0] : places[1];
    packages[place] = { version, ...platform(name), ...(dev ? { dev } : {}), optional: true };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en")));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} packages of other platforms added`);

/** Platform packages say in their name what they are for: @swc/core-linux-arm-gnueabihf. */
function platform(name) {
  const words = name.split(/[/-]/);
  const os = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "aix", "win32"];
  const cpu = { aarch64: "arm64", armv7: "arm", wasm32: "wasm32" };
  const cpus = ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"];
  const foundOs = words.find((word) => os.includes(word));
  const foundCpu = words.map((word) => cpu[word] ?? word).find((word) => cpus.includes(word) || word === "wasm32");
  if (foundCpu === undefined) throw new Error(`no processor in the name ${name}: add it to package-lock.json by hand`);
  const libc =
    words.includes("musl") || words.includes("musleabihf")
      ? "musl"
      : words.some((word) => word.startsWith("gnu"))
        ? "glibc"
        : undefined;
  return { cpu: [foundCpu], ...(libc ? { libc: [libc] } : {}), ...(foundOs ? { os: [foundOs] } : {}) };
}
