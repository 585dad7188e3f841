import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  type CreateRequestRequestSchema,
  isTransient,
  type Request,
  RequestSchema,
  RequestState,
} from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { onInterrupt } from "../interrupt.ts";
import { resolveSession } from "../session-ref.ts";
import { parseObject } from "./answer.ts";
import { answerText, endText } from "./lines.ts";
import { PRIORITIES } from "./words.ts";

/** How long one call waits; and how long until the next where the engine is away. */
const WAIT_MS = 60_000;
const AWAY_MS = 1000;

export interface AskOptions {
  readonly body?: string;
  /** Ids with their labels. */
  readonly option?: Readonly<Record<string, string>>;
  /** A JSON Schema. */
  readonly form?: string;
  readonly session?: string;
  readonly priority?: keyof typeof PRIORITIES;
  readonly tag?: readonly string[];
  /** In milliseconds. */
  readonly lifetime?: number;
  /** What is answered when its time is over: the id of an option, or text. */
  readonly default?: string;
  /** False: it is asked and not waited for. */
  readonly wait: boolean;
}

/** Asks a human, and prints the answer alone. Ctrl-C takes the request back. */
export async function ask(context: Context, title: string, options: AskOptions): Promise<ExitCode> {
  const { out, err, json } = context;
  const client = await context.client();
  const { request } = await client.requests.createRequest(await questionOf(client, title, options));
  if (request === undefined) throw new Error("the engine returned no request");
  if (!options.wait) {
    out.write(json ? `${toJsonString(RequestSchema, request)}\n` : `${request.id}\n`);
    return EXIT.ok;
  }
  if (err.isTerminal) context.note(`asked as ${request.id}; waiting for an answer`);
  const ended = await awaitEnd(client, request);
  if (ended === undefined) return EXIT.interrupted;
  if (json) out.write(`${toJsonString(RequestSchema, ended)}\n`);
  else if (ended.answer !== undefined) out.write(`${out.foreign(answerText(ended.answer, []))}\n`);
  if (ended.answer !== undefined) return EXIT.ok;
  if (!json) context.note(endText(err, ended));
  return EXIT.cancelled;
}

async function questionOf(
  client: Client,
  title: string,
  options: AskOptions,
): Promise<MessageInitShape<typeof CreateRequestRequestSchema>> {
  const { body = "", option = {}, form, session, priority = "normal", tag = [], lifetime } = options;
  const choices = Object.entries(option).map(([id, label]) => ({ id, label: label || id }));
  const { default: value } = options;
  const content =
    value === undefined ? undefined : ({ case: choices.length > 0 ? "optionId" : "text", value } as const);
  return {
    idempotencyKey: randomUUID(),
    sessionId: session === undefined ? "" : await resolveSession(client, session),
    title,
    body,
    options: choices,
    ...(form !== undefined && { form: parseObject(form) }),
    priority: PRIORITIES[priority],
    tags: [...tag],
    ...(lifetime !== undefined && { lifetime: durationFromMs(lifetime) }),
    ...(content !== undefined && { defaultAnswer: { content } }),
  };
}

/** Waits over restarts of the engine. Undefined: the human does not want to know any more. */
async function awaitEnd(client: Client, { id: requestId }: Request): Promise<Request | undefined> {
  const controller = new AbortController();
  const { signal } = controller;
  const off = onInterrupt(() => controller.abort());
  try {
    for (;;) {
      const request = await awaitOnce(client, requestId, signal);
      if (request !== undefined && request.state !== RequestState.OPEN) return request;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    await client.requests.cancelRequest({ requestId, reason: "whoever asked left" }, { timeoutMs: AWAY_MS });
    return undefined;
  } finally {
    off();
  }
}

/** Undefined: the engine is away. */
async function awaitOnce(client: Client, requestId: string, signal: AbortSignal): Promise<Request | undefined> {
  try {
    return (await client.requests.awaitRequest({ requestId, wait: durationFromMs(WAIT_MS) }, { signal })).request;
  } catch (error) {
    if (signal.aborted || !isTransient(error)) throw error;
    await pause(AWAY_MS, undefined, { signal });
    return undefined;
  }
}
