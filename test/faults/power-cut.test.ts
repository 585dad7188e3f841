import { expect, test } from "vitest";
import { hasCompiler } from "./disk-shim.ts";
import { missed } from "./figure.ts";
import { figuresOf, lossesOf } from "./kill-loop.ts";
import { runPowerCuts } from "./power-cut.ts";

if (!hasCompiler) console.log("the power is not cut: there is no cc to build disk-shim.c with");

test.skipIf(!hasCompiler)("power cuts lose nothing that was shown or answered", { timeout: 900_000 }, async () => {
  const result = await runPowerCuts({ kills: 6 });
  expect([...result.complaints, ...result.violations]).toEqual([]);
  expect(missed(figuresOf("power cut", { ...result, marks: 1 }))).toEqual([]);
});

test.skipIf(!hasCompiler)("control: with synchronous = NORMAL they do", { timeout: 900_000 }, async () => {
  expect(
    lossesOf(await runPowerCuts({ kills: 60, variant: "synchronous-normal", stopsAtFirst: true })),
  ).toBeGreaterThan(0);
});
