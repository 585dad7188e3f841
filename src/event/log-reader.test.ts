import { expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { insertSession } from "../session/session-store.ts";
import { openSqlite } from "../store/sqlite.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import type { EventPayload, LogEntry } from "./event.ts";
import { createEventLog } from "./event-log.ts";

const ID = "ses_1";
const KIB = 1024;

const encode = (payload: EventPayload): Uint8Array => Buffer.from(JSON.stringify(payload));

async function setUp() {
  const clock = createFakeClock();
  const db = openSqlite(":memory:", clock);
  const more = { starred: false, resumeAfterRestart: false, retryPartial: false, approvalMode: "default" as const };
  const settings = {
    title: "",
    profile: "p",
    model: "",
    systemPrompt: "",
    workspace: "",
    labels: {},
    limits: DEFAULT_LIMITS,
    ...more,
  };
  await db.transact(insertSession(ID, settings, 0));
  const open = () => createEventLog(db, encode, clock);
  return { clock, open, log: open() };
}

const note = (bytes: number): EventPayload => ({ kind: "warning", reason: "NOTE", message: "x".repeat(bytes) });
const sizeOf = (entry: LogEntry): number => ("delta" in entry ? entry.delta.text.length : entry.payload.length);

/** Reads all, and how large its largest page is. */
async function readPages(
  log: ReturnType<typeof createEventLog>,
): Promise<{ seqs: number[]; chars: number; largest: number }> {
  const seqs: number[] = [];
  let chars = 0;
  let largest = 0;
  for (let cursor = 0; ;) {
    const page = await log.readAfter(ID, cursor);
    if (page.cursor === cursor) return { seqs, chars, largest };
    cursor = page.cursor;
    const size = page.entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    chars += size;
    largest = Math.max(largest, size);
    seqs.push(...page.entries.map(({ seq }) => seq));
  }
}

test("a page of stored facts is small, however much there is", async () => {
  const { log, open } = await setUp();
  for (let i = 0; i < 100; i++) await log.append(ID, { events: [note(20 * KIB)] });
  const { seqs, largest } = await readPages(open());
  expect(seqs).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  expect(largest).toBeLessThan(160 * KIB);
});

test("a page of what is in memory is small, however much was said", async () => {
  const { clock, log } = await setUp();
  await log.append(ID, { events: [note(1)], delta: { kind: "text", messageId: "m", text: "x" } });
  for (let i = 0; i < 100; i++) {
    log.addDelta(ID, "t", { kind: "text", messageId: "m", text: "x".repeat(20 * KIB) });
    await clock.advance(20);
  }
  const { chars, largest } = await readPages(log);
  expect(chars).toBeGreaterThan(100 * 20 * KIB);
  expect(largest).toBeLessThan(200 * KIB);
});

test("an entry larger than a page is a page of its own", async () => {
  const { log, open } = await setUp();
  for (let i = 0; i < 3; i++) await log.append(ID, { events: [note(500 * KIB)] });
  const { seqs, largest } = await readPages(open());
  expect(seqs).toEqual([1, 2, 3]);
  expect(largest).toBeLessThan(501 * KIB);
});
