import { toJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Permission, type Request, RequestSchema, RequestState } from "../../client/client.ts";
import { callHead, callRows } from "../answering/call-lines.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatTime } from "../view/format.ts";
import type { Output } from "../output.ts";
import { riskWord, ruleText } from "../permissions/words.ts";
import { findRequest } from "./find.ts";
import { answerText, endText } from "./lines.ts";
import { priorityName } from "./words.ts";

/** All of a request, and how to answer it. */
export async function showRequest(context: Context, given: string): Promise<ExitCode> {
  const { out, json } = context;
  const request = await findRequest(await context.client(), given);
  out.write(json ? `${toJsonString(RequestSchema, request)}\n` : `${requestText(context, request)}\n`);
  return EXIT.ok;
}

function requestText(context: Context, request: Request): string {
  const { foreign, foreignLine, style } = context.out;
  const { title, body, options, form, context: about, state, permission } = request;
  const choices = options.map(({ id, label, description }) => {
    const more = description === "" ? "" : style.dim(` · ${foreignLine(description)}`);
    const words = label === id ? "" : `  ${foreignLine(label)}`;
    return `  ${style.cyan(foreignLine(id))}${words}${more}`;
  });
  const blocks = [
    `${style.bold(foreignLine(title))}\n${factsOf(request)
      .map((fact) => style.dim(foreignLine(fact)))
      .join("\n")}`,
    permission === undefined ? foreign(body) : permissionText(context.out, permission),
    choices.join("\n"),
    form === undefined ? "" : `form: ${foreign(JSON.stringify(form, undefined, 2))}`,
    about === undefined ? "" : style.dim(`about: ${foreign(JSON.stringify(about))}`),
    state === RequestState.OPEN ? style.dim(howToAnswer(context, request)) : endText(context.out, request),
  ];
  return blocks.filter(Boolean).join("\n\n");
}

/** What a call would do, all of it; how dangerous it is, and the rules that "always" would write. */
function permissionText(output: Output, permission: Permission): string {
  const { tool, arguments: args = {}, diff, risk, reason, suggestedRules } = permission;
  const call = { tool, args, diff };
  const columns = output.isTerminal ? output.columns - 1 : Number.MAX_SAFE_INTEGER;
  const rules = suggestedRules.map((rule) => `  ${ruleText(rule, output)}`);
  return [
    [callHead(output, call), ...callRows(output, call, columns)].join("\n"),
    `risk: ${riskWord(risk)}: ${output.foreignLine(reason)}`,
    rules.length === 0 ? "" : `calls like it would run unasked with one of:\n${rules.join("\n")}`,
  ]
    .filter(Boolean)
    .join("\n\n");
}

function factsOf(request: Request): string[] {
  const { id, sessionId, priority, tags, createTime, createdBy, claimedBy, deadline, defaultAnswer, options } = request;
  const made = createTime === undefined ? "" : formatTime(timestampDate(createTime));
  return [
    [id, priorityName(priority), made, createdBy && `by ${createdBy}`].filter(Boolean).join(" · "),
    sessionId && `session: ${sessionId}`,
    tags.length > 0 ? `tags: ${tags.join(", ")}` : "",
    claimedBy && `claimed by: ${claimedBy}`,
    deadline === undefined ? "" : `until: ${formatTime(timestampDate(deadline))}`,
    defaultAnswer === undefined ? "" : `then: ${answerText(defaultAnswer, options)}`,
  ].filter(Boolean);
}

function howToAnswer(context: Context, request: Request): string {
  return `answer: ${context.commandLine(`requests answer ${request.id} ${answerWords(request)}`)}`;
}

/** What a command line that answers ends with. */
export function answerWords({ permission, options, form }: Request): string {
  if (permission !== undefined) return "--approve (or --deny --reason TEXT)";
  return options.length > 0 ? "OPTION" : form === undefined ? "TEXT" : "--form JSON";
}
