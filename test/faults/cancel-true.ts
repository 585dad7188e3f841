import { spawn } from "node:child_process";
import { TurnEndReason } from "../../src/client/client.ts";
import { ownSeconds, processesWith, startCommandWorld, untilLeft, untilThere } from "./commands.ts";
import { control, cost, type Figure, none } from "./figure.ts";

export interface CancelTrueResult {
  readonly cancels: number;
  /** Processes that lived when CancelTurn had answered. */
  readonly left: number;
  /** Those of the three that it did not list. */
  readonly untold: number;
  /** Turns that did not end CANCELLED, and next turns that did not run. */
  readonly broken: number;
  readonly invalidHistories: number;
  readonly medianMs: number;
}

/** Cancels calls that detach some of what they start, and counts what is left. */
export async function runCancelTrue(cancels: number): Promise<CancelTrueResult> {
  const world = await startCommandWorld();
  const tookMs: number[] = [];
  let [left, untold, broken] = [0, 0, 0];
  try {
    for (let i = 0; i < cancels; i++) {
      const sessionId = await world.newSession();
      const seconds = ownSeconds();
      await world.run(sessionId, commandOf(seconds));
      await untilThere(`sleep ${seconds}`, 3);
      const startedAt = performance.now();
      const { turn, killedProcesses } = await world.client().messages.cancelTurn({ sessionId });
      tookMs.push(performance.now() - startedAt);
      left += processesWith(seconds).length;
      const told = killedProcesses.filter(
        ({ command, callId }) => command.startsWith(`sleep ${seconds}`) && callId !== "",
      );
      untold += 3 - told.length;
      if (turn?.endReason !== TurnEndReason.CANCELLED) broken++;
      const next = await world.runToEnd(sessionId, "echo again");
      if (next?.text.includes("again") !== true) broken++;
    }
    tookMs.sort((a, b) => a - b);
    const medianMs = tookMs[Math.floor(tookMs.length / 2)] ?? 0;
    return { cancels, left, untold, broken, invalidHistories: world.invalidHistories(), medianMs };
  } finally {
    await world.close();
  }
}

function commandOf(seconds: string): string {
  return `(setsid sleep ${seconds}1 &); sleep ${seconds}2 & sleep ${seconds}3`;
}

/** What ending its process group alone leaves of the same command. */
export async function leftByGroup(): Promise<number> {
  const seconds = ownSeconds();
  const shell = spawn("bash", ["-c", commandOf(seconds)], { detached: true, stdio: "ignore" });
  await untilThere(`sleep ${seconds}`, 3);
  const gone = new Promise((resolve) => shell.once("exit", resolve));
  process.kill(-(shell.pid ?? 0), "SIGKILL");
  await gone;
  await untilLeft(`sleep ${seconds}`, 1);
  const left = processesWith(`sleep ${seconds}`);
  for (const pid of left) process.kill(pid, "SIGKILL");
  return left.length;
}

export function cancelTrueFigures({ cancels, left, untold, broken, invalidHistories, medianMs }: CancelTrueResult) {
  return [
    none("processes left by a cancelled call that detaches some", left, cancels * 3),
    none("processes that were ended and not told", untold, cancels * 3),
    none("cancelled turns, or turns after them, that did not end as they should", broken, cancels * 2),
    none("conversations after a cancel that no provider would take", invalidHistories, cancels),
    cost("CancelTurn of such a call takes, median", medianMs, 3000, "ms"),
  ];
}

export async function cancelTrue(cancels: number): Promise<readonly Figure[]> {
  return [
    ...cancelTrueFigures(await runCancelTrue(cancels)),
    control("ending the process group alone leaves", await leftByGroup(), "of 3 processes"),
  ];
}
