import { Script, createContext } from "node:vm";

/** Work that was cut off. */
export class TookTooLong extends Error {
  override readonly name = "TookTooLong";
}

// Only `vm` can cut off what never gives the thread back, a regular expression for one.
const call = new Script("work()");

/** Does something that takes at most so long, and is to blame where it does not: then nothing of it may be used again. */
export function runWithin<T>(timeoutMs: number, work: () => T): T {
  try {
    return call.runInContext(createContext({ work }), { timeout: timeoutMs }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw new TookTooLong();
    throw error;
  }
}
