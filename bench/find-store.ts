import { join } from "node:path";
import { insertMessage } from "../src/message/message-store.ts";
import { insertSession } from "../src/session/session-store.ts";
import { DEFAULT_LIMITS } from "../src/turn/turn.ts";
import { indexMessages, keptStore, type Filling } from "./kept-store.ts";

/** Counts up when what is made here changes. */
const GENERATION = 1;
export const SESSIONS = 50_000;
export const MESSAGES = 1_000_000;
const VOCABULARY = 50_000;
const WORDS_PER_MESSAGE = 20;
const DAY_MS = 24 * 3600_000;

/** A data directory to find things in: 50,000 sessions, a million messages, all indexed. */
export function findStore(): { readonly dataDir: string; readonly database: string } {
  const dataDir = keptStore("find", GENERATION, fill);
  return { dataDir, database: join(dataDir, "parley.db") };
}

/** As long as the engine's own. */
export function sessionIdOf(number: number): string {
  return `ses_0${String(number).padStart(24, "0")}`;
}

function fill(filling: Filling): void {
  const random = createRandom(7);
  for (let i = 0; i < SESSIONS; i++) fillSession(filling, random, i);
  // Session by session a message each, so that the messages of one lie apart.
  for (let i = 0; i < MESSAGES; i++) fillMessage(filling, random, i);
  indexMessages(filling);
}

/** What is asked for later: a label for each share of the sessions, the older half, and every hundredth with a star. */
function fillSession({ run }: Filling, random: () => number, i: number): void {
  const settings = {
    title: Array.from({ length: 5 }, () => wordAt(random())).join(" "),
    profile: i % 2 === 0 ? "demo" : "openai",
    model: "",
    systemPrompt: "",
    workspace: `/home/user/project-${i % 200}`,
    labels: { all: "yes", parity: String(i % 2), half: i < SESSIONS / 2 ? "old" : "new", team: `team-${i % 1000}` },
    limits: DEFAULT_LIMITS,
    starred: i % 100 === 0,
    resumeAfterRestart: false,
    retryPartial: false,
    approvalMode: "default" as const,
  };
  const createTimeMs = Date.UTC(2026, 0, 1) + i * 1000;
  const updateTimeMs = createTimeMs + Math.floor(random() * 30 * DAY_MS);
  insertSession(sessionIdOf(i), settings, createTimeMs, { updateTimeMs }).forEach(run);
}

function fillMessage({ run }: Filling, random: () => number, i: number): void {
  const session = i % SESSIONS;
  const words = Array.from({ length: WORDS_PER_MESSAGE }, () => wordAt(random()));
  const message = {
    id: `msg_0${String(i).padStart(24, "0")}`,
    sessionId: sessionIdOf(session),
    turnId: "",
    role: i % 2 === 0 ? "user" : "assistant",
    status: "complete",
    parts: [{ kind: "text", text: words.join(" ") }],
    model: "",
    usage: undefined,
    createTimeMs: Date.UTC(2026, 1, 1) + i * 1000,
  } as const;
  run(insertMessage(session + 1, message, 1 + Math.floor(i / SESSIONS)));
}

/** The word at a place between 0 and 1: few are common, most are rare, as in any language (Zipf). */
function wordAt(place: number): string {
  return wordOf(Math.floor(VOCABULARY ** place));
}

/** The words, from the most common, word 1, on: in two thirds of the messages is word 1, in a few hundred word 10,000. */
export function wordOf(rank: number): string {
  const syllables = ["ka", "lo", "mi", "ne", "tu", "ra", "so", "vi", "de", "pa"];
  return Array.from(String(rank), (digit) => syllables[Number(digit)] ?? "").join("");
}

/** The same numbers in every run (Mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
