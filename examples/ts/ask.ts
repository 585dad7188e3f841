// Asks a question and prints the answer as it is made. Questions with the same --label are one conversation.
//
//   npx node examples/ts/ask.ts --label trip "write 40 words slowly"
//
// Needs an engine (npm start); finds it as every client does: PARLEY_URL and PARLEY_TOKEN, else the data directory. Kill the
// engine while it answers and start it again: the text goes on, nothing of it twice. Exit code: 0 the turn completed,
// 1 it failed or was interrupted, 4 the engine refused, 5 it reached a limit, 6 somebody cancelled it.
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
// Outside this repository: "parley/client".
import {
  type Client,
  createClient,
  type Event,
  followSession,
  type FollowState,
  isTransient,
  type Message,
  type Request,
  Role,
  type Turn,
  type TurnEnded,
  TurnEndReason,
} from "../../src/client/client.ts";

const EXIT_CODES: Partial<Record<TurnEndReason, number>> = {
  [TurnEndReason.COMPLETED]: 0,
  [TurnEndReason.LIMIT_REACHED]: 5,
  [TurnEndReason.CANCELLED]: 6,
};

const { values, positionals } = parseArgs({ options: { label: { type: "string" } }, allowPositionals: true });
const client = createClient();
try {
  const sessionId = await findSession(client, values.label ?? "");
  process.exitCode = exitCode(await ask(client, sessionId, positionals.join(" ")));
} catch (error) {
  console.error(`ask: ${(error as Error).message}`);
  process.exitCode = 4;
} finally {
  client.close();
}

/** The newest session with this label, else a new one; always a new one without a label. */
async function findSession({ sessions }: Client, label: string): Promise<string> {
  const labels = label === "" ? {} : { ask: label };
  if (label !== "") {
    const found = await patiently(() => sessions.listSessions({ labels, pageSize: 1 }));
    if (found.sessions[0] !== undefined) return found.sessions[0].id;
  }
  // With the key a second try makes no second session, whatever became of the first.
  const request = { idempotencyKey: randomUUID(), labels, resumeAfterRestart: true };
  return (await patiently(() => sessions.createSession(request))).session!.id;
}

/** Starts the turn and prints its answer, over lost connections and restarts. Returns how the turn ended. */
async function ask(client: Client, sessionId: string, text: string): Promise<TurnEnded> {
  const parts = [{ content: { case: "text" as const, value: text } }];
  const request = { sessionId, idempotencyKey: randomUUID(), parts };
  const startTurn = async (): Promise<Turn> => (await patiently(() => client.messages.startTurn(request))).turn!;
  let turn = await startTurn();
  let printer = createPrinter();
  for await (const item of followSession(client, { sessionId, afterSeq: turn.firstSeq - 1n, onState: sayWhenAway })) {
    if (item.kind === "reset") {
      // The store is an older one now, restored from a backup: the same key finds the turn in it, or starts it again.
      turn = await startTurn();
      printer = createPrinter();
      process.stdout.write("\n");
    } else if (item.kind === "event" && item.event.turnId === turn.id) {
      const { payload } = item.event;
      if (payload.case === "turnEnded") return payload.value;
      if (payload.case === "requestOpened") sayWhatWaits(payload.value.request!);
      printer.print(item.event);
    }
  }
  throw new Error("the following was ended");
}

function sayWhenAway({ kind }: FollowState): void {
  if (kind === "waiting") console.error("ask: the engine is away, trying again");
}

/** The turn goes on when somebody has answered, here or elsewhere. */
function sayWhatWaits({ id, title }: Request): void {
  console.error(`ask: waiting for a human: ${title} (parley requests answer ${id})`);
}

/** Prints deltas as they come, and of a message that comes whole what is not on the screen yet. */
function createPrinter(): { print(event: Event): void } {
  let shown = "";
  return {
    print({ payload }) {
      if (payload.case === "messageStarted") shown = "";
      if (payload.case === "textDelta") {
        shown += payload.value.text;
        process.stdout.write(payload.value.text);
      }
      if (payload.case !== "messageCompleted" || payload.value.message?.role !== Role.ASSISTANT) return;
      const whole = textOf(payload.value.message);
      if (whole !== "") process.stdout.write(`${whole.startsWith(shown) ? whole.slice(shown.length) : `\n${whole}`}\n`);
    },
  };
}

function textOf({ parts }: Message): string {
  return parts.map(({ content }) => (content.case === "text" ? content.value : "")).join("");
}

/** Tries again while the engine is away, for about half a minute. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error) || tries === 10) throw error;
      await setTimeout(Math.min(5_000, 100 * 2 ** tries) * (0.5 + Math.random() / 2));
    }
  }
}

function exitCode({ reason, error }: TurnEnded): number {
  if (reason !== TurnEndReason.COMPLETED)
    console.error(`ask: the turn did not complete: ${error?.message ?? "cancelled"}`);
  return EXIT_CODES[reason] ?? 1;
}
