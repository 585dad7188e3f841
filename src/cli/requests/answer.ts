import { type JsonObject, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { type AnswerSchema, PermissionDecision, type Request, RequestSchema, RuleEffect } from "../../client/client.ts";
import { sendReply } from "../answering/send-reply.ts";
import type { Reply } from "../answering/reply.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import type { ScopeWord } from "../permissions/names.ts";
import { scopeOf } from "../permissions/words.ts";
import { findRequest } from "./find.ts";
import { requestLine } from "./lines.ts";

export interface AnswerOptions {
  /** JSON. */
  readonly form?: string;
  readonly approve?: boolean;
  readonly deny?: boolean;
  readonly scope?: ScopeWord;
  /** A tool, and the pattern of its calls. */
  readonly rule?: string;
  /** Why a call may run or not; the model is told. */
  readonly reason?: string;
  /** JSON: what is to run instead. */
  readonly arguments?: string;
}

/** An option by its id or label, the form as JSON, text, or a decision: what the request asks for. */
export async function answerRequest(
  context: Context,
  given: string,
  words: readonly string[],
  options: AnswerOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const request = await findRequest(client, given);
  const reply = replyTo(request, words.join(" "), options);
  tell(context, await sendReply(client, request, reply, new AbortController().signal));
  return EXIT.ok;
}

export async function dismissRequest(
  context: Context,
  given: string,
  { reason = "" }: { readonly reason?: string },
): Promise<ExitCode> {
  const client = await context.client();
  const { id: requestId } = await findRequest(client, given);
  tell(context, (await client.requests.dismissRequest({ requestId, reason })).request);
  return EXIT.ok;
}

function tell({ out, json }: Context, request: Request | undefined): void {
  if (request === undefined) throw new Error("the engine returned no request");
  out.write(`${json ? toJsonString(RequestSchema, request) : requestLine(out, request)}\n`);
}

function replyTo(request: Request, text: string, options: AnswerOptions): Reply {
  if (request.permission !== undefined) return decisionOf(request, text, options);
  const [decision] = (["approve", "deny", "scope", "rule", "reason", "arguments"] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (decision !== undefined) throw new UsageError(`--${decision} is for permissions; this asks for ${howTo(request)}`);
  return { kind: "answer", answer: answerOf(request, text, options) };
}

function decisionOf({ permission }: Request, text: string, options: AnswerOptions): Reply {
  const { approve = false, deny = false, scope, rule, reason, arguments: edited, form } = options;
  if (text !== "" || form !== undefined || approve === deny) {
    throw new UsageError("this asks for permission: give --approve or --deny, and no words");
  }
  if (deny && edited !== undefined) throw new UsageError("--arguments are what is to run; they go with --approve");
  if (rule !== undefined && scope === "once") throw new UsageError("--rule makes a rule, and --scope once makes none");
  // A rule without a place holds where it was asked for.
  const where = scopeOf(scope ?? (rule === undefined ? "once" : "session"));
  const effect = deny ? RuleEffect.DENY : RuleEffect.ALLOW;
  return {
    kind: "permission",
    decision: deny ? PermissionDecision.DENY : PermissionDecision.APPROVE,
    scope: where,
    ...(rule !== undefined && { rule: { effect, scope: where, ...readRule(rule, permission?.tool ?? "") } }),
    ...(edited !== undefined && { args: parseObject(edited, "--arguments") }),
    ...(reason !== undefined && { reason }),
  };
}

/** `shell git status`: a tool and a pattern; a tool alone is all of it. */
function readRule(text: string, tool: string): { readonly tool: string; readonly pattern: string } {
  const [, name = "", pattern = ""] = /^(\S+)\s*([^]*)$/.exec(text.trim()) ?? [];
  if (name === "") throw new UsageError(`--rule is empty; write it like "${tool} PATTERN", or "${tool}" for all of it`);
  return { tool: name, pattern };
}

function answerOf(request: Request, text: string, { form }: AnswerOptions): MessageInitShape<typeof AnswerSchema> {
  if (form !== undefined && text !== "") throw new UsageError("give words or --form, not both");
  if (form !== undefined) return { content: { case: "form", value: parseObject(form) } };
  if (text === "") throw new UsageError(`say what to answer: ${howTo(request)}`);
  const { options } = request;
  if (options.length === 0) return { content: { case: "text", value: text } };
  const byId = options.find(({ id }) => id === text);
  const byLabel = options.filter(({ label }) => label.toLowerCase() === text.toLowerCase());
  const chosen = byId ?? (byLabel.length === 1 ? byLabel[0] : undefined);
  if (chosen === undefined) throw new UsageError(`${text} is no option of it: ${howTo(request)}`);
  return { content: { case: "optionId", value: chosen.id } };
}

function howTo({ options, form }: Request): string {
  if (options.length > 0) return `one of ${options.map(({ id }) => id).join(", ")}`;
  return form === undefined ? "some words" : "--form with a JSON object";
}

export function parseObject(text: string, what = "a form"): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (error) {
    throw new UsageError(`${what} is a JSON object: ${(error as Error).message}`);
  }
  throw new UsageError(`${what} is a JSON object, such as '{"name": "Ada"}'`);
}
