import { statSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { startFullCheck } from "../store/full-check.ts";

/** The first seconds after a crash belong to those who come back. */
const DELAY_MS = 10_000;

export interface CheckAfterCrashDeps {
  readonly clock: Clock;
  readonly onDamage: (problems: readonly string[]) => void;
  readonly onWhole: () => void;
  readonly onBug: (what: string, error: unknown) => void;
}

/**
 * Whether the last user of a database went without closing it: a close brings the log into the database and removes it. To
 * be asked before it is opened.
 */
export function wasCutOff(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Looks the whole database through, a little later and beside everything else; the returned function gives that up. */
export function checkAfterCrash(file: string, deps: CheckAfterCrashDeps): () => Promise<void> {
  let close: () => Promise<void> = async () => cancel();
  let isClosed = false;
  const cancel = deps.clock.after(DELAY_MS, () => {
    const check = startFullCheck(file);
    close = check.close;
    check.problems.then(
      (problems) => (problems.length > 0 ? deps.onDamage(problems) : deps.onWhole()),
      (error: unknown) => isClosed || deps.onBug("the full check after a crash", error),
    );
  });
  return () => {
    isClosed = true;
    return close();
  };
}
