import { othersFirst } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { EventLog } from "../event/event-log.ts";
import type { EventPayload } from "../event/event.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import type { Request } from "./request.ts";
import { requestFromRow, type RequestRow } from "./request-store.ts";

/** So many are told before the next are looked for. */
const AT_ONCE = 50;

/**
 * Tells the log of the session at the root of a chain of agents what is asked below it, so that whoever follows that one
 * session can answer. What is untold stands in the store: a crash in between delays it until the next start.
 */
export interface RootTeller {
  /** Tells what an engine that died left untold, and from then on what comes. */
  start(): void;
  /** Stops after the one it is at. */
  close(): Promise<void>;
}

interface RootTellerDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly onBug: (what: string, error: unknown) => void;
}

type UntoldRow = RequestRow & { readonly root_knows: number };

export function createRootTeller({ db, log, onBug }: RootTellerDeps): RootTeller {
  const closing = new AbortController();
  let current: Promise<void> | undefined;
  let isAskedAgain = false;
  let off: (() => void) | undefined;

  async function tellAll(): Promise<void> {
    do {
      // Who waits for the commit that rang goes first: for this nobody waits.
      await othersFirst();
      isAskedAgain = false;
      if (closing.signal.aborted) return;
      for (const row of await listUntold(db)) {
        if (closing.signal.aborted) return;
        await tell(row);
        isAskedAgain = true;
      }
    } while (isAskedAgain && !closing.signal.aborted);
  }

  async function tell(row: UntoldRow): Promise<void> {
    const request = requestFromRow(row);
    try {
      await log.append(row.root_session_id, {
        events: eventsOf(request, row.root_knows === 1),
        changes: () => [setTold(row)],
      });
    } catch (error) {
      // It was changed since it was read, and comes again.
      if (error instanceof ClaimLost) return;
      if (!isGone(error)) throw error;
      await db.transact([forgetRoot(row)]);
    }
  }

  function look(): void {
    isAskedAgain = true;
    current ??= tellAll()
      .catch((error: unknown) => onBug("telling a session what its agents ask", error))
      .finally(() => (current = undefined));
  }

  return {
    start() {
      off = db.onRevision(look);
      look();
    },
    close: async () => {
      closing.abort();
      off?.();
      await current;
    },
  };
}

/** One that ended before its root knew of it is told whole: that it was opened, and how it ended. */
function eventsOf(request: Request, isKnown: boolean): EventPayload[] {
  const opened = { kind: "request_opened", request: asOpened(request) } as const;
  const resolved = { kind: "request_resolved", request } as const;
  return [...(isKnown ? [] : [opened]), ...(request.state === "open" ? [] : [resolved])];
}

function asOpened(request: Request): Request {
  return { ...request, state: "open", answer: undefined, answeredBy: "", endTimeMs: undefined, endReason: "" };
}

async function listUntold(db: Database): Promise<UntoldRow[]> {
  // Asked after each change of anything: to see that there is none takes a fifth of the time of listing none.
  const first = await db.get({ sql: "SELECT key FROM requests WHERE root_untold = 1 LIMIT 1", params: [] });
  if (first === undefined) return [];
  return db.all<UntoldRow>({
    sql: "SELECT * FROM requests WHERE root_untold = 1 ORDER BY key LIMIT ?",
    params: [AT_ONCE],
  });
}

/** Its claim is lost where the request was changed after it was read. */
function setTold({ key, revision }: UntoldRow): Statement {
  return {
    sql: "UPDATE requests SET root_untold = 0, root_knows = 1 WHERE key = ? AND revision = ?",
    params: [key, revision],
    claim: "request",
  };
}

/** Nobody is left to be told. */
function forgetRoot({ key }: UntoldRow): Statement {
  return { sql: "UPDATE requests SET root_untold = 0 WHERE key = ?", params: [key] };
}

function isGone(error: unknown): boolean {
  return error instanceof DomainError && ["SESSION_NOT_FOUND", "SESSION_DELETED"].includes(error.reason);
}
