import { expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import type { AuditDraft } from "./audit-entry.ts";
import { createAuthFailures } from "./auth-failures.ts";

const MINUTE_MS = 60_000;

function setUp() {
  const clock = createFakeClock();
  const bugs: unknown[] = [];
  const drafts: Omit<AuditDraft, "timeMs">[] = [];
  let refusal: Error | undefined;
  const audit = {
    async add(draft: Omit<AuditDraft, "timeMs">) {
      if (refusal !== undefined) throw refusal;
      drafts.push(draft);
    },
  };
  const failures = createAuthFailures(audit, clock, (_what, error) => bugs.push(error));
  const note = (source: string, times = 1): void => {
    for (let i = 0; i < times; i++) {
      failures.note({ reason: "TOKEN_INVALID", method: "GetInfo", source, actor: "" });
    }
  };
  const counts = (): unknown[] => drafts.splice(0).map(({ target, detail }) => [target, detail?.["count"] ?? 1]);
  return { clock, bugs, failures, note, counts, refuse: (error: Error) => (refusal = error) };
}

test("the first failures of a source are written down, of the others of its minute how many there were", async () => {
  const { clock, note, counts } = setUp();
  note("10.0.0.1", 1000);
  note("10.0.0.2");
  await clock.advance(0);
  const each = ["10.0.0.1", 1];
  expect(counts()).toEqual([each, each, each, each, each, ["10.0.0.2", 1]]);
  await clock.advance(MINUTE_MS);
  expect(counts()).toEqual([["10.0.0.1", 995]]);
  note("10.0.0.1");
  await clock.advance(2 * MINUTE_MS);
  expect(counts()).toEqual([each]);
  expect(clock.timers()).toBe(0);
});

test("many sources at once are not as many entries", async () => {
  const { clock, note, counts } = setUp();
  for (let i = 0; i < 5000; i++) note(`10.0.${i >> 8}.${i & 255}`);
  await clock.advance(MINUTE_MS);
  const written = counts();
  expect(written).toHaveLength(21);
  expect(written.at(-1)).toEqual(["others", 4980]);
});

test("what was counted is written down at the end, and a socket in the file system is named", async () => {
  const { failures, note, counts } = setUp();
  note("", 8);
  await failures.close();
  expect(counts().at(-1)).toEqual(["unix", 3]);
});

test("a store that refuses is told of, and nobody is held up by it", async () => {
  const { failures, note, bugs, refuse } = setUp();
  refuse(new Error("full"));
  note("10.0.0.1", 2);
  await failures.close();
  expect(bugs).toHaveLength(2);
});
