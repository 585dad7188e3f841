import { toJsonString } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type CheckPermissionResponse,
  CheckPermissionResponseSchema,
  type Client,
  reasonOf,
} from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { NotThereError, UsageError } from "../failure.ts";
import { formatTime } from "../view/format.ts";
import { resolveSession } from "../session-ref.ts";
import { decisionWord, riskWord, ruleText } from "./words.ts";

/** How many sessions are looked through for a call that is named alone. */
const MAX_SESSIONS = 50;
const isCall = (text: string | undefined): text is string => text?.startsWith("call_") === true;

/** Says what would become of a call and why, or what was decided on one. For `shell` a text that is no JSON is the command. */
export async function checkCall(
  context: Context,
  ref: string,
  tool: string | undefined,
  text: string,
): Promise<ExitCode> {
  const client = await context.client();
  if (isCall(ref) && tool === undefined) return show(context, await findDecision(client, ref));
  if (tool === undefined) throw new UsageError("say which tool, or give the id of a call that was made");
  const sessionId = await resolveSession(client, ref);
  if (isCall(tool)) return show(context, await client.permissions.checkPermission({ sessionId, callId: tool }));
  const args = readArguments(tool, text);
  return show(context, await client.permissions.checkPermission({ sessionId, tool, arguments: args }));
}

async function findDecision(client: Client, callId: string): Promise<CheckPermissionResponse> {
  const { sessions } = await client.sessions.listSessions({ pageSize: MAX_SESSIONS });
  for (const { id: sessionId } of sessions) {
    try {
      return await client.permissions.checkPermission({ sessionId, callId });
    } catch (error) {
      if (reasonOf(error)?.reason !== "CALL_NOT_FOUND") throw error;
    }
  }
  throw new NotThereError(
    `none of the ${MAX_SESSIONS} newest sessions has the call ${callId}; name its session before it`,
  );
}

function show({ out, json }: Context, answer: CheckPermissionResponse): ExitCode {
  if (json) {
    out.write(`${toJsonString(CheckPermissionResponseSchema, answer)}\n`);
    return EXIT.ok;
  }
  const { decision, risk, reason, rule, suggestedRules, requestId, decidedBy, decideTime } = answer;
  out.write(`${decisionWord(decision)}: ${out.foreignLine(reason)} (risk: ${riskWord(risk)})\n`);
  if (rule !== undefined) out.write(`by ${rule.id}: ${ruleText(rule, out)}\n`);
  if (requestId !== "") {
    const who = decidedBy === "" ? "" : `, answered by ${out.foreignLine(decidedBy)}`;
    out.write(`asked as ${requestId}${who}\n`);
  }
  if (decideTime !== undefined) out.write(`decided: ${formatTime(timestampDate(decideTime))}\n`);
  for (const draft of suggestedRules) out.write(`it would run unasked with: ${ruleText(draft, out)}\n`);
  return EXIT.ok;
}

function readArguments(tool: string, text: string): JsonObject {
  if (tool === "shell" && !text.trimStart().startsWith("{")) return { command: text };
  if (text === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (tool === "shell") return { command: text };
  throw new UsageError(`the arguments of ${tool} are no JSON object; write them like '{"path":"README.md"}'`);
}
