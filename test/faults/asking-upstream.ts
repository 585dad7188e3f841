import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An OpenAI-compatible server whose model asks for as many calls of one tool as the user says, and then is done. */
export interface AskingUpstream {
  /** For OPENAI_BASE_URL. */
  readonly baseUrl: string;
  close(): Promise<void>;
}

interface ChatRequest {
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
}

/** What a user says for calls in one answer, and for calls one after the other. Each is numbered from 0. */
export const callsAtOnce = (count: number): string => `at once ${count}`;
export const callsInRow = (count: number): string => `in a row ${count}`;

export async function startAskingUpstream(tool: string): Promise<AskingUpstream> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(tool, JSON.parse(Buffer.concat(chunks).toString()) as ChatRequest, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(tool: string, { messages }: ChatRequest, response: ServerResponse): void {
  const lastUser = messages.findLastIndex(({ role }) => role === "user");
  const [, atOnce, count = "0"] = /(at once|in a row) (\d+)/.exec(JSON.stringify(messages[lastUser]?.content)) ?? [];
  const steps = messages.slice(lastUser + 1).filter(({ role }) => role === "assistant").length;
  const isDone = atOnce === "at once" ? steps > 0 : steps >= Number(count);
  const numbers = isDone ? [] : atOnce === "at once" ? Array.from({ length: Number(count) }, (_, i) => i) : [steps];
  const calls = numbers.map((number, index) => ({
    index,
    id: `up_${steps}_${index}`,
    type: "function",
    function: { name: tool, arguments: JSON.stringify({ number }) },
  }));
  const delta = isDone ? { content: "done" } : { tool_calls: calls };
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const choice of [
    { delta, finish_reason: null },
    { delta: {}, finish_reason: isDone ? "stop" : "tool_calls" },
  ]) {
    const chunk = { id: "c", object: "chat.completion.chunk", created: 0, model: "m" };
    response.write(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, ...choice }] })}\n\n`);
  }
  response.end("data: [DONE]\n\n");
}
