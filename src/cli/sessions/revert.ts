import { toJson, toJsonString } from "@bufbuild/protobuf";
import { RevertedFileSchema, RevertFilesResponseSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { resolveSession } from "../session-ref.ts";
import { changedTurnLines, chosenTurn, listChangedTurns } from "./changed-turns.ts";
import { askRevert, isReverted, lastTurn, revertLines } from "./revert-files.ts";

export interface RevertOptions {
  /** True: does it. Else it is said what would be done. */
  readonly yes?: boolean;
  /** True: says which turns changed files. */
  readonly list?: boolean;
}

/** Takes back what a turn did to files: the last turn, or one by its id or its number in the list. */
export async function revertSession(
  context: Context,
  given: string,
  turn: string | undefined,
  { yes = false, list = false }: RevertOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const sessionId = await resolveSession(client, given);
  if (list) return showChanged(context, sessionId);
  const turnId =
    turn === undefined
      ? await lastTurn(client, sessionId)
      : await chosenTurn(turn, () => listChangedTurns(client, sessionId));
  let hasMore = true;
  while (hasMore) {
    const answer = await askRevert(client, { sessionId, turnId, isDone: yes });
    if (context.json) context.out.write(`${toJsonString(RevertFilesResponseSchema, answer)}\n`);
    else context.out.write(`${revertLines(context.out, answer, yes).join("\n")}\n`);
    // Only what is done goes on: another look would show the same again.
    hasMore = yes && answer.hasMore;
    if (!yes && answer.files.some(isReverted)) context.note("nothing is done yet; --yes does it");
  }
  return EXIT.ok;
}

async function showChanged({ out, json, client: open }: Context, sessionId: string): Promise<ExitCode> {
  const turns = await listChangedTurns(await open(), sessionId);
  const lines = json
    ? turns.map(({ turnId, files }) =>
        JSON.stringify({ turnId, files: files.map((file) => toJson(RevertedFileSchema, file)) }),
      )
    : changedTurnLines(out, turns, Date.now());
  if (lines.length > 0) out.write(`${lines.join("\n")}\n`);
  return EXIT.ok;
}
