import { type Clock, systemClock } from "../../clock.ts";
import { createHttpClient, type HttpAnswer } from "./http-client.ts";
import { ModelError, type Model, type ModelRequest } from "../model.ts";
import { createChunkReader } from "./openai-chat-answer.ts";
import { failedAnswer, streamFailure, toModelError } from "./openai-chat-error.ts";
import { toChatRequest } from "./openai-chat-request.ts";
import { createPieceQueue, type PieceQueue } from "./piece-queue.ts";
import { NO_PROXIES, type Proxies } from "./proxies.ts";
import { createEventDecoder } from "./server-sent-events.ts";

export interface OpenaiChatOptions {
  /** Empty = OpenAI's own. */
  readonly baseUrl?: string | undefined;
  /** Not needed by a server of one's own. */
  readonly apiKey?: string | undefined;
  readonly proxies?: Proxies;
  readonly clock?: Clock;
}

const OPENAI_URL = "https://api.openai.com/v1";
/** After the reason of the end only the usage comes, at once; a server that leaves the stream open then has no more to say. */
const AFTER_FINISH_MS = 5_000;

/** A model behind Chat Completions: OpenAI's, or any server that speaks the same. */
export function createOpenaiChatModel(options: OpenaiChatOptions): Model {
  const { baseUrl, apiKey, proxies = NO_PROXIES, clock = systemClock } = options;
  const url = baseUrl === undefined || baseUrl === "" ? OPENAI_URL : baseUrl;
  const http = createHttpClient(clock, proxies);
  const headers = headersFor(apiKey);
  /** Calls under way, and their ends, which never reject. */
  const calls = new Map<Call, Promise<void>>();
  let isClosed = false;

  async function run(call: Call, request: ModelRequest): Promise<void> {
    // A picture that cannot be read is no fault of the provider.
    const sent = await toChatRequest(request).catch((error: unknown) => stop(call, error));
    if (sent === undefined) return;
    try {
      const { signal } = call.controller;
      await pump(await http.post(chatUrl(url), { headers, body: JSON.stringify(sent), signal }), call, clock);
      call.queue.end();
    } catch (error) {
      const context = { host: hostOf(url), apiKey, nowMs: clock.now(), isStreaming: call.isStreaming };
      call.queue.end(toModelError(error, context));
      // Frees the connection where its stream was not read to the end.
      call.controller.abort();
    }
  }

  function start(request: ModelRequest, signal: AbortSignal): Call {
    const call: Call = { queue: createPieceQueue(), controller: new AbortController(), isStreaming: false };
    if (isClosed || signal.aborted) {
      stop(call, isClosed ? closedError() : signal.reason);
      return call;
    }
    const onAbort = (): void => stop(call, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const done = run(call, request).finally(() => {
      signal.removeEventListener("abort", onAbort);
      calls.delete(call);
    });
    calls.set(call, done);
    return call;
  }

  return {
    stream: (request, signal) => ({
      [Symbol.asyncIterator]() {
        let call: Call | undefined;
        return {
          next() {
            call ??= start(request, signal);
            return call.queue.next();
          },
          async return() {
            if (call !== undefined && calls.has(call)) stop(call, closedError());
            return { value: undefined, done: true };
          },
        };
      },
    }),
    async close() {
      isClosed = true;
      for (const call of calls.keys()) stop(call, closedError());
      http.close();
      await Promise.all(calls.values());
    },
  };
}

/** A call under way. */
interface Call {
  readonly queue: PieceQueue;
  readonly controller: AbortController;
  /** Whether the provider's stream has begun. */
  isStreaming: boolean;
}

function stop(call: Call, reason: unknown): void {
  call.queue.abort(reason);
  call.controller.abort(reason);
}

/** Says that the stream is over; what comes after it is not read. */
const DONE = "[DONE]";

/**
 * Reads the provider's stream into the queue, to its end. All that one read of the socket brought is decoded in one go: each
 * event through promises of its own would cost twice the CPU of a token.
 */
async function pump(answer: HttpAnswer, call: Call, clock: Clock): Promise<void> {
  const { queue, controller } = call;
  if (!answer.isOk) throw failedAnswer(answer.status, answer.headers, await answer.text());
  call.isStreaming = true;
  checkContentType(answer);
  const reader = createChunkReader(queue);
  let isDone = false;
  const decoder = createEventDecoder(
    ({ name, data }) => {
      isDone ||= data.startsWith(DONE);
      if (!isDone) reader.take(toChunk(name, data));
    },
    () => queue.pulse(),
  );
  let cancelTimer: (() => void) | undefined;
  try {
    for await (const bytes of answer.body()) {
      decoder.feed(bytes);
      if (isDone) break;
      if (reader.isFinished) cancelTimer ??= clock.after(AFTER_FINISH_MS, () => controller.abort());
      const room = queue.room();
      if (room !== undefined) await room;
    }
  } catch (error) {
    // What breaks after the end takes nothing away.
    if (!reader.isFinished) throw error;
  } finally {
    cancelTimer?.();
  }
  if (!reader.isFinished) {
    throw new ModelError("PROVIDER_BROKE_OFF", "the provider's stream ended before the answer did", {
      retryable: true,
    });
  }
  reader.finish();
}

/** What an event holds. Throws ApiFailure where it is an error, and SyntaxError. */
function toChunk(name: string, data: string): unknown {
  const value: unknown = JSON.parse(data);
  const told = typeof value === "object" && value !== null && "error" in value ? value.error : undefined;
  if (name === "error") throw streamFailure(told ?? value);
  if (told !== undefined && told !== null && told !== false) throw streamFailure(told);
  return value;
}

/** A page or a whole answer instead of a stream would look like a stream without events. Anything else may be one, mislabelled. */
function checkContentType({ headers }: HttpAnswer): void {
  const type = headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "text/html" && type !== "application/json") return;
  const message = `the provider answered with ${type} instead of a stream; is its base URL right?`;
  throw new ModelError("PROVIDER_GARBAGE", message, { retryable: true });
}

/** Four of our own and no others: whoever could add to them could send the key elsewhere, or another in its place. */
function headersFor(apiKey: string | undefined): Readonly<Record<string, string>> {
  return {
    accept: "application/json",
    "content-type": "application/json",
    "user-agent": "parley",
    ...(apiKey !== undefined && apiKey !== "" && { authorization: `Bearer ${apiKey}` }),
  };
}

/** Keeps what stands behind a question mark: some servers take their version there. */
function chatUrl(baseUrl: string): URL {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/chat/completions`;
  return url;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "the base URL, which is none";
}

function closedError(): ModelError {
  return new ModelError("PROVIDER_BROKE_OFF", "the connection to the provider was closed here", { retryable: false });
}
