import { expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { createCommitter } from "./committer.ts";
import type { Transaction } from "./database.ts";

/** A committer whose commits take `commitMs` and are kept as groups of names. */
function setUp({ commitMs = 1 } = {}) {
  const clock = createFakeClock();
  const groups: string[][] = [];
  const soon: (() => void)[] = [];
  let spentMs = 0;
  const slow = { ...clock, monotonic: () => clock.monotonic() + spentMs };
  const names = new Map<Transaction, string>();
  const committer = createCommitter(
    (group) => {
      spentMs += commitMs;
      groups.push(group.map((transaction) => names.get(transaction) ?? "?"));
      return group.map(() => undefined);
    },
    slow,
    (run) => soon.push(run),
  );
  const transaction = (name: string): Transaction => {
    const made = { statements: [], settle: () => {} };
    names.set(made, name);
    return made;
  };
  return { clock, committer, groups, transaction, runSoon: () => soon.splice(0).forEach((run) => run()) };
}

test("what is queued in the same turn of the loop is one commit", () => {
  const { committer, groups, transaction, runSoon } = setUp();
  committer.enqueue(transaction("a"));
  committer.enqueue(transaction("b"));
  expect(groups).toEqual([]);
  runSoon();
  committer.enqueue(transaction("c"));
  runSoon();
  expect(groups).toEqual([["a", "b"], ["c"]]);
});

test("deferred work goes at once after a pause, and else waits until 15 ms after the last commit", async () => {
  const { clock, committer, groups, transaction, runSoon } = setUp();
  let left: Transaction[] = [];
  committer.defer({ collect: () => left.splice(0) });
  left = [transaction("first")];
  committer.requestCommit(10);
  runSoon();
  expect(groups).toEqual([["first"]]);

  left = [transaction("second")];
  committer.requestCommit(10);
  runSoon();
  await clock.advance(14);
  expect(groups).toHaveLength(1);
  await clock.advance(1);
  expect(groups).toEqual([["first"], ["second"]]);
});

test("on a slow disk deferred work waits twice as long as the last commit took", async () => {
  const { clock, committer, groups, transaction, runSoon } = setUp({ commitMs: 20 });
  let left = [transaction("first")];
  committer.defer({ collect: () => left.splice(0) });
  committer.requestCommit(10);
  runSoon();
  left = [transaction("second")];
  committer.requestCommit(10);
  await clock.advance(39);
  expect(groups).toHaveLength(1);
  await clock.advance(1);
  expect(groups).toHaveLength(2);
});

test("64 KiB of deferred work do not wait", () => {
  const { committer, groups, transaction, runSoon } = setUp();
  let left = [transaction("first")];
  committer.defer({ collect: () => left.splice(0) });
  committer.requestCommit(10);
  runSoon();
  left = [transaction("large")];
  committer.requestCommit(64 * 1024);
  runSoon();
  expect(groups).toEqual([["first"], ["large"]]);
});

test("deferred work goes along with the next commit, and its timer is taken back", async () => {
  const { clock, committer, groups, transaction, runSoon } = setUp();
  let left = [transaction("first")];
  committer.defer({ collect: () => left.splice(0) });
  committer.requestCommit(10);
  runSoon();
  left = [transaction("delta")];
  committer.requestCommit(10);
  committer.enqueue(transaction("now"));
  runSoon();
  expect(groups).toEqual([["first"], ["now", "delta"]]);
  expect(clock.timers()).toBe(0);
  await clock.advance(100);
  expect(groups).toHaveLength(2);
});
