import { expect, test } from "vitest";
import { asksFor, says } from "../../../test/helpers/scripted-model.ts";
import { echo, setUp } from "../../../test/helpers/turn-engine.ts";
import { openSqlite } from "../../store/sqlite.ts";
import type { Tool } from "../../tool/tool.ts";

/** Prints, and then runs until its turn is stopped. */
function printer(text: string, onPrinted: () => void): Tool {
  return {
    ...echo,
    name: "printer",
    run: async (_args, { output, signal }) => {
      await output("stdout", text);
      await output("stderr", "warn\n");
      onPrinted();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    },
  };
}

async function startPrinting(text: string) {
  const { promise: printed, resolve } = Promise.withResolvers<void>();
  const db = openSqlite(":memory:");
  const engine = await setUp([asksFor(["printer", "{}"]), says("ok")], {}, db, [printer(text, resolve)]);
  const turn = await engine.start();
  await printed;
  // What is printed is shown with the next commit.
  await db.transact([{ sql: "UPDATE meta SET value = value", params: [] }]);
  return { engine, turn };
}

async function resultOf(engine: Awaited<ReturnType<typeof setUp>>): Promise<string> {
  const messages = await engine.conversation();
  return messages
    .flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "tool_result" ? part.text : [])))
    .join();
}

test("the model is told what a cancelled call had printed", async () => {
  const { engine } = await startPrinting("out\n");
  await engine.cancel();
  expect(await resultOf(engine)).toBe(
    "The turn was cancelled before it was over. It had printed by then:\nout\nwarn\n",
  );
});

test("of much that a cancelled call had printed the end is told", async () => {
  const { engine } = await startPrinting("🐦".repeat(100_000));
  await engine.cancel();
  const text = await resultOf(engine);
  expect(text).toMatch(/^The turn was cancelled before it was over\. It had printed by then, at the end:\n🐦+warn\n$/u);
  expect(text.length).toBeLessThan(17_000);
});

test("the model is told what a call had printed when the engine was killed", async () => {
  const { engine } = await startPrinting("out\n");
  const next = await engine.restart(says("ok"));
  await next.recover();
  expect(await resultOf(engine)).toMatch(/is not known\. It was not run again\. It had printed by then:\nout\nwarn\n$/);
});
