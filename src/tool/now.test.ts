import { expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { UNKEPT } from "../workspace/file-change.ts";
import { createNowTool } from "./now.ts";

const now = createNowTool(createFakeClock(Date.UTC(2026, 10, 3, 5, 6, 7)));
const place = { sessionId: "s", turnId: "t", callId: "c", workspace: "" };
const context = { ...place, signal: new AbortController().signal, changes: UNKEPT, output: async () => {} };

test.each([
  ["Asia/Tokyo", "2026-11-03T14:06:07+09:00 (Tuesday, Asia/Tokyo)"],
  ["America/New_York", "2026-11-03T00:06:07-05:00 (Tuesday, America/New_York)"],
  ["Asia/Kolkata", "2026-11-03T10:36:07+05:30 (Tuesday, Asia/Kolkata)"],
  ["UTC", "2026-11-03T05:06:07+00:00 (Tuesday, UTC)"],
])("the time in %s has its offset and day", async (timezone, told) => {
  expect(await now.run({ timezone }, context)).toEqual({ text: told });
});

test("without a time zone it is the machine's", async () => {
  expect((await now.run({}, context)).text).toContain(new Intl.DateTimeFormat().resolvedOptions().timeZone);
});

test("an unknown time zone is refused with what to do instead", async () => {
  await expect(now.run({ timezone: "Atlantis" }, context)).rejects.toThrow(
    'there is no time zone "Atlantis"; give an IANA name such as Europe/Paris, or none',
  );
  await expect(now.run({ timezone: 5 }, context)).rejects.toThrow("timezone must be a string");
});
