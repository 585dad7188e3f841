import { ownSeconds, processesWith, startCommandWorld, untilThere } from "./commands.ts";
import { control, type Figure, none } from "./figure.ts";

export interface LeftOversResult {
  readonly kills: number;
  /** Processes of calls and jobs that lived when the next engine was READY. */
  readonly left: number;
  /** The same of those that had thrown their mark away. */
  readonly unmarkedLeft: number;
  /** Calls that were not told to be UNKNOWN. */
  readonly untold: number;
}

/** Kills engines while a call and a job run, and looks what the next one has left of them. */
export async function runLeftOvers(kills: number): Promise<LeftOversResult> {
  const world = await startCommandWorld();
  let [left, unmarkedLeft, untold] = [0, 0, 0];
  try {
    for (let i = 0; i < kills; i++) {
      const [calls, jobs, unmarked] = [ownSeconds(), ownSeconds(), ownSeconds()];
      const one = await world.newSession();
      await world.runToEnd(one, `background: (setsid sleep ${jobs} &); sleep ${jobs}; true`);
      await world.runToEnd(one, `background: exec env -u PARLEY_CALL sleep ${unmarked}`);
      await world.run(one, `(setsid sleep ${calls} &); sleep ${calls}; true`);
      await untilThere(`sleep ${calls}`, 2);
      await untilThere(`sleep ${jobs}`, 2);
      await untilThere(`sleep ${unmarked}`, 1);
      await world.engine().kill();
      await world.start();
      left += processesWith(calls).length + processesWith(jobs).length;
      const unended = processesWith(`sleep ${unmarked}`);
      unmarkedLeft += unended.length;
      for (const pid of unended) process.kill(pid, "SIGKILL");
      const { messages } = await world.client().sessions.listMessages({ sessionId: one });
      const told = messages.some(({ parts }) =>
        parts.some(({ content }) => content.case === "toolResult" && /not known/.test(content.value.text)),
      );
      if (!told) untold++;
    }
    return { kills, left, unmarkedLeft, untold };
  } finally {
    await world.close();
  }
}

export function leftOversFigures({ kills, left, unmarkedLeft, untold }: LeftOversResult): readonly Figure[] {
  return [
    none("processes of a killed engine that the next start has left", left, kills * 4),
    none("calls of a killed engine that are not told to be unknown", untold, kills),
    control("without the mark the next start leaves", unmarkedLeft, `of ${kills} processes`),
  ];
}

export async function leftOvers(kills: number): Promise<readonly Figure[]> {
  return leftOversFigures(await runLeftOvers(kills));
}
