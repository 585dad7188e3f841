import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A Chat Completions request, as far as tests look at it. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
}

export interface ChatMessage {
  readonly role: string;
  readonly content?: string | null;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
  readonly tool_call_id?: string;
}

/** What an answer can do. */
export interface Answer {
  text(...pieces: string[]): void;
  reasoning(text: string): void;
  call(id: string, name: string, argumentsJson: string): void;
  usage(usage: object): void;
  /** Ends the answer. */
  end(finishReason?: string): void;
  /** Answers with an HTTP error instead. */
  fail(status: number, headers?: Record<string, string>): void;
  /** Cuts the connection. */
  cut(): void;
  /** Resolves when the caller has gone. */
  readonly gone: Promise<void>;
}

export type Script = (answer: Answer, request: ChatRequest, number: number) => void | Promise<void>;

/** A Chat Completions server that answers as the test says, call by call. */
export interface Upstream {
  readonly url: string;
  readonly requests: readonly ChatRequest[];
  /** How many calls are open. */
  open(): number;
  /** Replaces what is answered from now on. */
  script(script: Script): void;
  close(): Promise<void>;
}

export async function startUpstream(first: Script = (answer) => says(answer, "Hello.")): Promise<Upstream> {
  const requests: ChatRequest[] = [];
  let script = first;
  let open = 0;
  const server = createServer((request, response) => {
    open++;
    response.once("close", () => open--);
    void readJson(request).then(async (chat) => {
      requests.push(chat);
      await script(createAnswer(response), chat, requests.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    open: () => open,
    script(next) {
      script = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A whole answer of these pieces. */
export function says(answer: Answer, ...pieces: string[]): void {
  answer.text(...pieces);
  answer.usage({ prompt_tokens: 10, completion_tokens: pieces.length });
  answer.end();
}

/** Asks for the tool `now`, as often as told, at once. */
export function asksForNow(answer: Answer, times = 1): void {
  for (let i = 0; i < times; i++) answer.call(`up_${i}`, "now", "{}");
  answer.usage({ prompt_tokens: 80, completion_tokens: 20 });
  answer.end("tool_calls");
}

async function readJson(request: IncomingMessage): Promise<ChatRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as ChatRequest;
}

function createAnswer(response: ServerResponse): Answer {
  let calls = 0;
  const send = (chunk: object): void => {
    if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", ...chunk })}\n\n`,
    );
  };
  const delta = (value: object): void => send({ choices: [{ index: 0, delta: value, finish_reason: null }] });
  return {
    text(...pieces) {
      for (const content of pieces) delta({ content });
    },
    reasoning: (reasoning_content) => delta({ reasoning_content }),
    call: (id, name, json) =>
      delta({ tool_calls: [{ index: calls++, id, type: "function", function: { name, arguments: json } }] }),
    usage: (usage) => send({ choices: [], usage }),
    end(finishReason = "stop") {
      send({ choices: [{ index: 0, delta: {}, finish_reason: finishReason }] });
      response.end("data: [DONE]\n\n");
    },
    fail(status, headers = {}) {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify({ error: { message: `scripted ${status}`, type: "scripted" } }));
    },
    cut: () => void response.destroy(),
    gone: new Promise((resolve) => response.once("close", () => resolve())),
  };
}

/** Whether a provider would take this conversation: every call is followed by exactly its results, and no result has no call. */
export function isValidHistory(messages: readonly ChatMessage[]): boolean {
  let open = new Set<string>();
  for (const message of messages) {
    if (message.role === "tool") {
      if (!open.delete(message.tool_call_id ?? "")) return false;
      continue;
    }
    if (open.size > 0) return false;
    open = new Set(message.tool_calls?.map(({ id }) => id));
  }
  return open.size === 0;
}
