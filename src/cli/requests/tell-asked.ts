import type { Event, Request } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { requestLine } from "./lines.ts";
import { answerWords } from "./show.ts";

/** Where nobody sits who could answer: says on stderr what is asked and how to answer from elsewhere, and how it ended. */
export function tellAsked(context: Context, { payload }: Event): void {
  const { err, commandLine } = context;
  if (payload.case === "requestOpened" && payload.value.request !== undefined) {
    const { request } = payload.value;
    context.note(`a human is asked: ${request.title}`);
    context.note(`answer with \`${commandLine(`requests answer ${request.id}`)}\` ${wordsFor(request)}`);
  }
  if (payload.case === "requestResolved") context.note(requestLine(err, payload.value.request));
}

/** Nobody sees the options beside it, so they stand in it. */
function wordsFor(request: Request): string {
  const { permission, options } = request;
  if (permission !== undefined || options.length === 0) return answerWords(request);
  return options.map(({ id }) => id).join("|");
}
