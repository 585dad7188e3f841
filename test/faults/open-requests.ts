import { toJsonString } from "@bufbuild/protobuf";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Client,
  createClient,
  Priority,
  type Request,
  RequestSchema,
  RequestState,
} from "../../src/client/client.ts";
import { type Figure, figure, none } from "./figure.ts";
import { createLives } from "./lives.ts";

export interface OpenRequestsResult {
  readonly kills: number;
  /** Requests whose making was acknowledged. */
  readonly asked: number;
  readonly answered: number;
  /** Requests that are not listed, or not with everything in them. */
  readonly lost: number;
  /** Requests that are open and could not be answered, or whose answer is not what was given. */
  readonly unanswerable: number;
}

const ASKERS = 8;
/** Fewer than a session may have. */
const MAX_OPEN = 80;

/** One with everything in it, of a session or of none. */
function questionOf(number: number, sessionId: string) {
  return {
    idempotencyKey: `ask-${number}`,
    sessionId: number % 3 === 0 ? "" : sessionId,
    title: `question ${number}?`,
    body: "**This** or that.".repeat(number % 50),
    context: { number, of: ["a", null, true] },
    options: ["a", "b"].map((id) => ({ id, label: `take ${id}`, description: "or not" })),
    priority: (number % 4) + 1 === 4 ? Priority.URGENT : Priority.NORMAL,
    tags: ["t"],
    lifetime: { seconds: 86_400n },
    defaultAnswer: { content: { case: "optionId" as const, value: "b" } },
  };
}

/** Asks and answers while engines are killed, then looks at every request that an engine has acknowledged. */
export async function runOpenRequests(kills: number): Promise<OpenRequestsResult> {
  const lives = await createLives();
  const first = await lives.start();
  if (first === undefined) throw new Error("the first engine was killed");
  const client = createClient(first);
  const acknowledged = new Map<string, Request>();
  const answers = new Map<string, Request>();
  const controller = new AbortController();
  try {
    const { session } = await client.sessions.createSession({});
    const place = { lives, client, sessionId: session!.id, acknowledged, answers };
    const asking = Promise.all(Array.from({ length: ASKERS }, (_, i) => ask(controller.signal, place, i)));
    // Told below; a failure before that is thrown there, too.
    asking.catch(() => undefined);
    for (let kill = 0; kill < kills; kill++) {
      await pause(100 + Math.random() * 500);
      await lives.kill();
      await lives.start();
    }
    await lives.ready();
    controller.abort();
    await asking;
    const outcome = await look(client, acknowledged, answers);
    return { kills, asked: acknowledged.size, answered: answers.size, ...outcome };
  } finally {
    controller.abort();
    client.close();
    await lives.kill();
    await lives.close();
  }
}

type Lives = Awaited<ReturnType<typeof createLives>>;

interface Place {
  readonly lives: Lives;
  readonly client: Client;
  readonly sessionId: string;
  readonly acknowledged: Map<string, Request>;
  readonly answers: Map<string, Request>;
}

/** One after the other, each with a key, so that what a dying engine did is not done again; some are left open. */
async function ask(
  signal: AbortSignal,
  { lives: { untilAnswered }, client, sessionId, acknowledged, answers }: Place,
  asker: number,
): Promise<void> {
  for (let number = asker; !signal.aborted; number += ASKERS) {
    const { answer: asked } = await untilAnswered(() => client.requests.createRequest(questionOf(number, sessionId)));
    const { id: requestId } = asked.request!;
    acknowledged.set(requestId, asked.request!);
    if (number % 5 === 0 && acknowledged.size - answers.size < MAX_OPEN) continue;
    const response = { requestId, idempotencyKey: `answer-${number}`, answer: optionA };
    const { answer: answered } = await untilAnswered(() => client.requests.respondRequest(response));
    answers.set(requestId, answered.request!);
  }
}

const optionA = { content: { case: "optionId" as const, value: "a" } };

async function look(client: Client, acknowledged: Map<string, Request>, answers: Map<string, Request>) {
  const listed = new Map<string, string>();
  for (const states of [[RequestState.OPEN], [RequestState.ANSWERED]]) {
    let pageToken = "";
    do {
      const page = await client.requests.listRequests({ states, pageSize: 500, pageToken });
      for (const request of page.requests) listed.set(request.id, toJsonString(RequestSchema, request));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  let lost = 0;
  let unanswerable = 0;
  for (const [requestId, asked] of acknowledged) {
    const known = answers.get(requestId) ?? asked;
    if (listed.get(requestId) !== toJsonString(RequestSchema, known)) lost++;
    if (answers.has(requestId)) continue;
    const { request } = await client.requests.respondRequest({ requestId, answer: optionA });
    if (request?.state !== RequestState.ANSWERED || request.answer?.content.value !== "a") unanswerable++;
  }
  if (listed.size !== acknowledged.size) lost += Math.abs(listed.size - acknowledged.size);
  return { lost, unanswerable };
}

export function openRequestsFigures(result: OpenRequestsResult): readonly Figure[] {
  const { kills, asked, answered, lost, unanswerable } = result;
  return [
    figure("kill -9 while requests are open", kills, "all of them", kills > 0),
    none("acknowledged requests lost, changed or made twice", lost, asked),
    none("open requests that cannot be answered after a kill", unanswerable, asked - answered),
  ];
}

export async function openRequests(kills: number): Promise<readonly Figure[]> {
  return openRequestsFigures(await runOpenRequests(kills));
}
