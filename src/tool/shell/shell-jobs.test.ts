import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/helpers/fake-clock.ts";
import type { CallProcess } from "../process/processes.ts";
import { createShellJobs } from "./shell-jobs.ts";

/** A program that is over at once. */
const ended = async (): Promise<CallProcess> => ({
  pid: undefined,
  exited: Promise.resolve({ code: 0, signal: null }),
  drained: Promise.resolve(),
  closeOutput: () => {},
  countLiving: async () => 0,
  end: async () => [],
});

function setUp() {
  const clock = createFakeClock();
  const jobs = createShellJobs((what) => expect.fail(what), clock);
  return {
    jobs,
    async start(sessionId: string, count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        await clock.advance(1);
        await jobs.start({ sessionId }, { command: "true", timeoutMs: undefined }, ended);
        await Promise.resolve();
      }
    },
    numbers: (sessionId: string) => jobs.list(sessionId).map(({ number }) => number),
  };
}

const upTo = (count: number, last: number): number[] => Array.from({ length: count }, (_, i) => last - count + 1 + i);

test("of the jobs of a session that are over the newest 64 can be read, and who asks for another is told so", async () => {
  const { jobs, start, numbers } = setUp();
  await start("ses_1", 70);
  expect(numbers("ses_1")).toEqual(upTo(64, 70));
  expect(() => jobs.get("ses_1", 3)).toThrow(/there is no job 3; .* \(of those that are over the newest 64 are kept\)/);
});

test("a session with many jobs takes away none of another's", async () => {
  const { start, numbers } = setUp();
  await start("ses_quiet", 3);
  for (const sessionId of ["ses_1", "ses_2", "ses_3"]) await start(sessionId, 64);
  expect(numbers("ses_quiet")).toEqual([1, 2, 3]);
  expect(numbers("ses_3").at(-1)).toBe(64);
  const all = ["ses_quiet", "ses_1", "ses_2", "ses_3"].flatMap(numbers);
  expect(all).toHaveLength(128);
});
