import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Closers } from "../closers.ts";
import type { Config } from "../config.ts";
import type { Database } from "../store/database.ts";
import type { Titles } from "../title/titles.ts";
import type { Tool } from "../tool/tool.ts";

/** A running engine. */
export interface Engine {
  /** Where it listens, in the order of `Config.listen`. */
  readonly urls: readonly string[];
  /** The first of them. */
  readonly url: string;
  /** The admin token. */
  readonly token: string;
  /** Reads the TLS files again, for connections from now on. Throws DomainError `TLS_INVALID`; the old ones stay then. */
  reloadTls(): void;
  /** Ends what runs, in order, and gives the data directory back. */
  close(): Promise<void>;
}

/** What a test or an embedder may replace. */
export interface EngineParts {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly random?: () => number;
  /** Another store than the file `parley.db` of the data directory. */
  readonly openDatabase?: (path: string, clock: Clock) => Database;
  /** Tools besides the engine's own. */
  readonly tools?: readonly Tool[];
  /** Another way to name sessions than to ask their models. */
  readonly titles?: Titles;
}

/** What every part is built from. */
export interface Base {
  readonly config: Config;
  readonly parts: EngineParts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly closers: Closers;
  readonly onBug: (what: string, error: unknown) => void;
}
