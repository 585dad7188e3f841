import { toJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Request, RequestSchema, RequestState } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatTime } from "../format.ts";
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
  const { title, body, options, form, context: about, state } = request;
  const choices = options.map(({ id, label, description }) => {
    const more = description === "" ? "" : style.dim(` · ${foreignLine(description)}`);
    const words = label === id ? "" : `  ${foreignLine(label)}`;
    return `  ${style.cyan(foreignLine(id))}${words}${more}`;
  });
  const blocks = [
    `${style.bold(foreignLine(title))}\n${factsOf(request)
      .map((fact) => style.dim(foreignLine(fact)))
      .join("\n")}`,
    foreign(body),
    choices.join("\n"),
    form === undefined ? "" : `form: ${foreign(JSON.stringify(form, undefined, 2))}`,
    about === undefined ? "" : style.dim(`about: ${foreign(JSON.stringify(about))}`),
    state === RequestState.OPEN ? style.dim(howToAnswer(context, request)) : endText(context.out, request),
  ];
  return blocks.filter(Boolean).join("\n\n");
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

function howToAnswer(context: Context, { id, options, form }: Request): string {
  const what = options.length > 0 ? "OPTION" : form === undefined ? "TEXT" : "--form JSON";
  return `answer: ${context.commandLine(`requests answer ${id} ${what}`)}`;
}
