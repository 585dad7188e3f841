import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, type Message, type RevertedFile, RevertOutcome, Role, type Turn } from "../../client/client.ts";
import { wholeMessage } from "../../client/transcript.ts";
import { UsageError } from "../failure.ts";
import { formatSpan } from "../view/format.ts";
import type { Output } from "../output.ts";
import { shorten } from "../terminal/width.ts";
import { askRevert } from "./revert-files.ts";

/** A turn whose changes of files can be looked at and taken back. */
export interface ChangedTurn {
  readonly turnId: string;
  readonly beganMs: number;
  /** What it was told, as far as that is still among the newest messages. */
  readonly said: string;
  readonly files: readonly RevertedFile[];
}

/** So many turns are looked at, the newest first, a few at once: each look reads files. */
const MAX_TURNS = 30;
const AT_ONCE = 5;
const MAX_MESSAGES = 200;
const MAX_NAMED = 4;

/** The turns of a session that changed files, the newest first. Rejects with `SESSION_BUSY` while a turn runs. */
export async function listChangedTurns(
  client: Client,
  sessionId: string,
  signal?: AbortSignal,
): Promise<ChangedTurn[]> {
  const options = signal === undefined ? {} : { signal };
  const { turns } = await client.messages.listTurns({ sessionId, pageSize: MAX_TURNS }, options);
  const { messages } = await client.sessions.listMessages({ sessionId, pageSize: MAX_MESSAGES }, options);
  const found: ChangedTurn[] = [];
  for (let from = 0; from < turns.length; from += AT_ONCE) {
    const looks = turns.slice(from, from + AT_ONCE).map(async ({ id: turnId, createTime }: Turn) => {
      const { files } = await askRevert(client, { sessionId, turnId, isDone: false }, signal);
      const beganMs = createTime === undefined ? 0 : timestampMs(createTime);
      return { turnId, beganMs, said: saidIn(messages, turnId), files };
    });
    found.push(...(await Promise.all(looks)).filter(({ files }) => files.length > 0));
  }
  return found;
}

function saidIn(messages: readonly Message[], turnId: string): string {
  const said = messages.find((message) => message.turnId === turnId && message.role === Role.USER);
  return said === undefined ? "" : wholeMessage(said).text.trim();
}

/** Each with its number and its files under it. */
export function changedTurnLines(output: Output, turns: readonly ChangedTurn[], nowMs: number): string[] {
  const { style, foreignLine, columns, isTerminal } = output;
  if (turns.length === 0) return [style.dim("no turn changed a file that could be taken back")];
  const room = isTerminal ? Math.max(20, columns - 1) : Number.MAX_SAFE_INTEGER;
  return turns.flatMap(({ said, beganMs, files }, index) => {
    const head = `${String(index + 1).padStart(3)}  ${formatSpan(nowMs - beganMs)} ago  ${foreignLine(said)}`;
    return [shorten(head.trimEnd(), room), style.dim(shorten(`     ${filesText(output, files)}`, room))];
  });
}

/** `a.txt (+1 −2), b.txt (changed since)`: what the turn did, which is the other way round to what taking it back does. */
export function filesText({ foreignLine }: Output, files: readonly RevertedFile[]): string {
  const named = files.slice(0, MAX_NAMED).map(({ path, outcome, addedLines, removedLines }) => {
    const counts = [removedLines > 0 ? `+${removedLines}` : "", addedLines > 0 ? `−${addedLines}` : ""];
    const told = outcome === RevertOutcome.REVERTED ? counts.filter(Boolean).join(" ") : "cannot be taken back";
    return `${foreignLine(path)}${told === "" ? "" : ` (${told})`}`;
  });
  const more = files.length - named.length;
  return `${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** A turn by its id, or by its number in the list. */
export async function chosenTurn(given: string, list: () => Promise<readonly ChangedTurn[]>): Promise<string> {
  if (!/^\d{1,3}$/.test(given)) return given;
  const turns = await list();
  const turn = turns[Number(given) - 1];
  if (turn !== undefined) return turn.turnId;
  const range = turns.length === 0 ? "no turn changed a file" : `give a number from 1 to ${turns.length}`;
  throw new UsageError(`there is no turn ${given} to take back: ${range}`);
}
