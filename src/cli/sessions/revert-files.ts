import { randomUUID } from "node:crypto";
import { type Client, type RevertedFile, type RevertFilesResponse, RevertOutcome } from "../../client/client.ts";
import { NotThereError } from "../failure.ts";
import type { Output } from "../output.ts";
import { diffLines } from "../terminal/diff-lines.ts";

/** The last turn's id. Throws where there is none. */
export async function lastTurn(client: Client, sessionId: string, signal?: AbortSignal): Promise<string> {
  const options = signal === undefined ? {} : { signal };
  const [turn] = (await client.messages.listTurns({ sessionId, pageSize: 1 }, options)).turns;
  if (turn === undefined) throw new NotThereError("no turn has run in this session yet");
  return turn.id;
}

/** One try may be repeated by the client, so what is done has a key. */
export function askRevert(
  client: Client,
  { sessionId, turnId, isDone }: { readonly sessionId: string; readonly turnId: string; readonly isDone: boolean },
  signal?: AbortSignal,
): Promise<RevertFilesResponse> {
  const request = { sessionId, turnId, preview: !isDone, idempotencyKey: isDone ? randomUUID() : "" };
  return client.sessions.revertFiles(request, signal === undefined ? {} : { signal });
}

export const isReverted = ({ outcome }: RevertedFile): boolean => outcome === RevertOutcome.REVERTED;

/** What became of the files, or what would; the diffs only of what would. */
export function revertLines(output: Output, { files, hasMore }: RevertFilesResponse, isDone: boolean): string[] {
  const { style, isTerminal, columns } = output;
  const diffOptions = { hidesNames: true, ...(isTerminal && { columns }) };
  if (files.length === 0)
    return [style.dim("there is nothing to take back: no tool of that turn changed a file, or it was done before")];
  const lines = files.flatMap((file) => {
    const head = `${isReverted(file) ? style.green("⟲") : style.dim("·")} ${output.foreignLine(file.path)}: ${wordsOf(output, file, isDone)}`;
    return isDone || file.diff === "" ? [head] : [head, ...diffLines(output, file.diff, diffOptions)];
  });
  return hasMore && !isDone ? [...lines, style.dim("and more files")] : lines;
}

function wordsOf(output: Output, file: RevertedFile, isDone: boolean): string {
  switch (file.outcome) {
    case RevertOutcome.REVERTED: {
      const counts = `+${file.addedLines} −${file.removedLines}`;
      return isDone ? `is as before the turn (${counts})` : `would be as before the turn (${counts})`;
    }
    case RevertOutcome.NOT_AS_LEFT:
      return output.style.yellow("somebody changed it since; it stays as it is");
    case RevertOutcome.GONE:
      return output.style.yellow("somebody removed it since; it stays so");
    case RevertOutcome.AS_BEFORE:
      return "is as before the turn already";
    case RevertOutcome.CHANGED_BETWEEN:
      return output.style.yellow("something else changed it while the turn did; it stays as it is");
    case RevertOutcome.REFUSED:
      return output.style.red(output.foreignLine(file.message));
    case RevertOutcome.UNSPECIFIED:
      break;
  }
  // A newer engine's.
  return "something else became of it";
}
