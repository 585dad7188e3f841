import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** An OpenAI-compatible server that does as it is told: calls of `now` and of every other tool, then words. */
export interface ScriptedUpstream {
  /** For OPENAI_BASE_URL. */
  readonly baseUrl: string;
  readonly requests: () => number;
  close(): Promise<void>;
}

interface ChatRequest {
  readonly messages: readonly { readonly role: string }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

/** How many times a turn asks for tools before it answers, and how long it pauses between two words. */
const TOOL_STEPS = 3;
const WORD_MS = 3;
const WORDS = 40;

export async function startScriptedUpstream(): Promise<ScriptedUpstream> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as ChatRequest;
      // A killed engine leaves its calls in the middle.
      answer(body, response).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer({ messages, tools = [] }: ChatRequest, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (choice: object): void => {
    response.write(
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 0, model: "m", choices: [{ index: 0, ...choice }] })}\n\n`,
    );
  };
  const lastUser = messages.findLastIndex(({ role }) => role === "user");
  const steps = messages.slice(lastUser + 1).filter(({ role }) => role === "assistant").length;
  for (let i = 0; i < WORDS && !response.destroyed; i++) {
    send({ delta: { content: `${i === 0 ? "" : " "}word${i}` }, finish_reason: null });
    await pause(WORD_MS);
  }
  if (steps < TOOL_STEPS) {
    const calls = tools.map(({ function: { name } }, index) => ({
      index,
      id: `up_${steps}_${index}`,
      type: "function",
      function: { name, arguments: "{}" },
    }));
    send({ delta: { tool_calls: calls }, finish_reason: null });
    send({ delta: {}, finish_reason: "tool_calls" });
  } else send({ delta: {}, finish_reason: "stop" });
  response.end("data: [DONE]\n\n");
}
