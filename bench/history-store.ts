import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { indexMessages, keptStore, type Filling } from "./kept-store.ts";
import { EVENTS_PER_TURN, fillSession, idOf } from "./store.ts";

/** Counts up when what is made here changes. */
const GENERATION = 1;

/** A short history, a long one, and one with a million events. */
const TURNS = { short: 50, long: 5000, huge: 142_858 } as const;

export interface StoredHistory {
  readonly sessionId: string;
  readonly sessionKey: number;
  readonly messages: number;
  readonly events: number;
}

/** A data directory with sessions of very different lengths. */
export interface HistoryStore {
  readonly database: string;
  readonly histories: Readonly<Record<keyof typeof TURNS, StoredHistory>>;
  /** Copies the store into a data directory, for a run that changes it. */
  copyTo(dataDir: string): void;
}

export function historyStore(): HistoryStore {
  const database = join(keptStore("history", GENERATION, fill), "parley.db");
  const all = Object.entries(TURNS).map(([name, turns], i): [string, StoredHistory] => [
    name,
    { sessionId: idOf("ses", i + 1), sessionKey: i + 1, messages: 2 * turns, events: EVENTS_PER_TURN * turns },
  ]);
  return {
    database,
    histories: Object.fromEntries(all) as HistoryStore["histories"],
    copyTo: (dataDir) => copyFileSync(database, join(dataDir, "parley.db")),
  };
}

function fill(filling: Filling): void {
  let turn = 1;
  for (const [i, turns] of Object.values(TURNS).entries()) turn = fillSession(filling.run, i + 1, turn, turns);
  indexMessages(filling);
}
