import { toJsonString } from "@bufbuild/protobuf";
import { SessionSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { resolveSession } from "../session-ref.ts";
import type { ModeWord } from "./names.ts";
import { modeOf, modeWord } from "./words.ts";

/** Shows a session's mode, or sets it; it is in force for the next decision. */
export async function showOrSetMode(context: Context, ref: string, word: ModeWord | undefined): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const sessionId = await resolveSession(client, ref);
  const { session } =
    word === undefined
      ? await client.sessions.getSession({ sessionId })
      : await client.permissions.setApprovalMode({ sessionId, mode: modeOf(word) });
  if (session === undefined) return EXIT.ok;
  out.write(json ? `${toJsonString(SessionSchema, session)}\n` : `${modeWord(session.approvalMode)}\n`);
  return EXIT.ok;
}
