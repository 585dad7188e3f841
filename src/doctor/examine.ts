import { statSync } from "node:fs";
import { failed, type Finding } from "./finding.ts";
import type { ReadEvent } from "./log-checks.ts";
import { checkPlace } from "./place-checks.ts";
import { checkStore } from "./store-checks.ts";

/** Looks everything in a data directory through and changes nothing; also beside the engine that uses it. */
export function examine(dataDir: string, readEvent: ReadEvent): readonly Finding[] {
  if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return [failed("data directory", `there is no folder ${dataDir}; name another with --data-dir`)];
  }
  return [...checkPlace(dataDir), ...checkStore(dataDir, readEvent)];
}
