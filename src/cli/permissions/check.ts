import { toJsonString } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { CheckPermissionResponseSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { resolveSession } from "../session-ref.ts";
import { decisionWord, riskWord, ruleText } from "./words.ts";

/** Says what would become of a call and why. For `shell` a text that is no JSON is the command. */
export async function checkCall(context: Context, ref: string, tool: string, text: string): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const sessionId = await resolveSession(client, ref);
  const answer = await client.permissions.checkPermission({ sessionId, tool, arguments: readArguments(tool, text) });
  if (json) {
    out.write(`${toJsonString(CheckPermissionResponseSchema, answer)}\n`);
    return EXIT.ok;
  }
  const { decision, risk, reason, rule, suggestedRules, hooks } = answer;
  out.write(`${decisionWord(decision)}: ${out.foreignLine(reason)} (risk: ${riskWord(risk)})\n`);
  if (rule !== undefined) out.write(`by ${rule.id}: ${ruleText(rule, out)}\n`);
  for (const draft of suggestedRules) out.write(`it would run unasked with: ${ruleText(draft, out)}\n`);
  if (hooks.length > 0)
    out.write(`before it these hooks would be asked: ${hooks.map((name) => out.foreignLine(name)).join(", ")}\n`);
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
