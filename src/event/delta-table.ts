import type { Clock } from "../clock.ts";
import type { Database, Statement } from "../store/database.ts";
import { type DeltaKind, type LoggedDelta, type OutputKind, targetOf } from "./event.ts";

/** Text of whole messages is removed from the store about this often, and in pieces of this many rows, so that nobody waits for it. */
const SWEEP_MS = 1000;
const SWEEP_ROWS = 5000;

/** One stored piece of a message that was never completed, or of the output of a call that never ended. */
export interface DeltaRow {
  readonly session_key: number;
  readonly seq: number;
  readonly kind: DeltaKind | "output";
  /** The message's or the call's id. */
  readonly target: string;
  /** Of output; else empty. */
  readonly stream: OutputKind | "";
  readonly text: string;
}

/**
 * The rows that hold the text of messages that are still being made, and the output of calls that run. They are written in the order of time, and all rows
 * before the first one that an open message needs are removed in the background.
 */
export interface DeltaTable {
  insert(sessionKey: number, entry: LoggedDelta): Statement;
  /** The message is whole, or the call is over: its rows are no longer needed. */
  complete(targetId: string): void;
  /** Removes what is left over and stops. */
  close(): Promise<void>;
}

export function createDeltaTable(db: Database, clock: Clock): DeltaTable {
  const firstRowOfOpen = new Map<string, number>();
  let nextId = 1;
  let sweptTo = 1;
  let cancelSweep: (() => void) | undefined;
  let sweeping: Promise<void> = Promise.resolve();

  function neededFrom(): number {
    let first = nextId;
    for (const id of firstRowOfOpen.values()) first = Math.min(first, id);
    return first;
  }

  function scheduleSweep(): void {
    cancelSweep ??= clock.after(SWEEP_MS, () => {
      cancelSweep = undefined;
      sweeping = sweep();
    });
  }

  /** False where the disk refuses, which is told to those who have something to lose; here it is only tried again. */
  function remove(beforeId: number): Promise<boolean> {
    return db.transact([{ sql: "DELETE FROM deltas WHERE id < ?", params: [beforeId] }]).then(
      () => true,
      () => false,
    );
  }

  async function sweep(): Promise<void> {
    const to = Math.min(neededFrom(), sweptTo + SWEEP_ROWS);
    if (to <= sweptTo) return;
    if (await remove(to)) sweptTo = to;
    if (neededFrom() > sweptTo) scheduleSweep();
  }

  return {
    insert(sessionKey, { seq, delta }) {
      const id = nextId++;
      const target = targetOf(delta);
      if (!firstRowOfOpen.has(target)) firstRowOfOpen.set(target, id);
      const [kind, stream] = "callId" in delta ? ["output", delta.kind] : [delta.kind, ""];
      return {
        sql: "INSERT INTO deltas (id, session_key, seq, kind, target, text, stream) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params: [id, sessionKey, seq, kind, target, delta.text, stream],
      };
    },
    complete(targetId) {
      if (firstRowOfOpen.delete(targetId)) scheduleSweep();
    },
    close: async () => {
      cancelSweep?.();
      await sweeping;
      await remove(neededFrom());
    },
  };
}

/** All text that a dead engine left behind, in order. Read at start, before anything is written. */
export function selectDeltas(): Statement {
  return {
    sql: "SELECT session_key, seq, kind, target, stream, text FROM deltas ORDER BY session_key, seq",
    params: [],
  };
}

/** Removes all of it, once every open message has been completed from it. */
export function deleteDeltas(): Statement {
  return { sql: "DELETE FROM deltas", params: [] };
}
