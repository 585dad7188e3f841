import { randomUUID } from "node:crypto";
import { type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import type { AnswerSchema } from "../../client/client.ts";
import { type Request, RequestSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { findRequest } from "./find.ts";
import { requestLine } from "./lines.ts";

export interface AnswerOptions {
  /** JSON. */
  readonly form?: string;
}

/** An option by its id or label, the form as JSON, or text: what the request asks for. */
export async function answerRequest(
  context: Context,
  given: string,
  words: readonly string[],
  options: AnswerOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const request = await findRequest(client, given);
  const answer = answerOf(request, words.join(" "), options);
  const key = randomUUID();
  const response = await client.requests.respondRequest({ requestId: request.id, idempotencyKey: key, answer });
  tell(context, response.request);
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

type JsonObject = Record<string, never>;

export function parseObject(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (error) {
    throw new UsageError(`a form is a JSON object: ${(error as Error).message}`);
  }
  throw new UsageError('a form is a JSON object, such as \'{"name": "Ada"}\'');
}
