import { connectTo, type Target } from "./calls.ts";

/** Milliseconds of a CreateSession at each of the targets, in turn. The first rounds only warm up. */
export async function unaryCalls(input: {
  targets: readonly Target[];
  rounds: number;
  warmUp: number;
}): Promise<number[][]> {
  const all = input.targets.map((target) => connectTo(target));
  const times: number[][] = all.map(() => []);
  for (let round = 0; round < input.warmUp + input.rounds; round++) {
    for (const [i, { sessions }] of all.entries()) {
      const startMs = performance.now();
      await sessions.createSession({ title: `bench ${round}` });
      if (round >= input.warmUp) times[i]?.push(performance.now() - startMs);
    }
  }
  for (const calls of all) calls.close();
  return times;
}
