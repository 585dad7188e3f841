import type { Statement } from "../store/database.ts";
import type { EventPayload } from "./event.ts";

/** Facts with the changes of state that make them true. */
export interface Facts {
  readonly events: readonly EventPayload[];
  /** Told the number of the first event. */
  changes(firstSeq: number, nowMs: number): readonly Statement[];
}

export const NO_FACTS: Facts = { events: [], changes: () => [] };

/** One after the other. */
export function joinFacts(...all: readonly Facts[]): Facts {
  return {
    events: all.flatMap(({ events }) => events),
    changes(firstSeq, nowMs) {
      let seq = firstSeq;
      return all.flatMap((facts) => {
        const statements = facts.changes(seq, nowMs);
        seq += facts.events.length;
        return statements;
      });
    },
  };
}
