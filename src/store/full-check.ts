import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

/**
 * Runs in a thread of its own: the check reads every page, and nobody else would get a turn. As text, because a file of its
 * own would have to be found from the sources, from the bundle and from the library alike.
 */
const SCRIPT = `
const { parentPort, workerData } = require("node:worker_threads");
const Sqlite = require(workerData.sqlite);
const db = new Sqlite(workerData.file, { readonly: true });
let problems;
try {
  problems = db.pragma("integrity_check(20)").map((row) => row.integrity_check).filter((text) => text !== "ok");
} catch (error) {
  if (!/^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) throw error;
  problems = [error.message];
} finally {
  db.close();
}
parentPort.postMessage(problems);
`;

/** A check that runs beside everything else. */
export interface FullCheck {
  /** What is wrong with the database; empty = nothing. Rejects where it could not be read, or was given up. */
  readonly problems: Promise<readonly string[]>;
  /** Gives it up. */
  close(): Promise<void>;
}

/** Starts SQLite's full check of a database file that others may be using. */
export function startFullCheck(file: string): FullCheck {
  const sqlite = createRequire(import.meta.url).resolve("better-sqlite3");
  const worker = new Worker(SCRIPT, { eval: true, workerData: { file, sqlite } });
  // Nothing waits for it.
  worker.unref();
  const problems = new Promise<readonly string[]>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the full check was given up")));
  });
  return {
    problems,
    async close() {
      problems.catch(() => undefined);
      await worker.terminate();
    },
  };
}
