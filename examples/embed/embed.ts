// An engine inside another program: no second process, and the same API. Outside this repository the imports are
// "parley" and "parley/client".
import { createClient, Role } from "../../src/client/client.ts";
import { readConfig } from "../../src/config.ts";
import { startEngine } from "../../src/engine.ts";

/** Starts an engine on a folder, has it answer once, and stops it. */
export async function embed(dataDir: string, question: string): Promise<string> {
  const engine = await startEngine(readConfig(process.env, { dataDir, port: "0", logLevel: "warn" }));
  const client = createClient({ url: engine.url, token: engine.token });
  try {
    const { session } = await client.sessions.createSession({ profile: "demo" });
    const parts = [{ content: { case: "text" as const, value: question } }];
    const answers: string[] = [];
    for await (const { payload } of client.messages.sendMessage({ sessionId: session!.id, parts })) {
      if (payload.case !== "event" || payload.value.payload.case !== "messageCompleted") continue;
      const { message } = payload.value.payload.value;
      if (message?.role !== Role.ASSISTANT) continue;
      answers.push(message.parts.map(({ content }) => (content.case === "text" ? content.value : "")).join(""));
    }
    // One for each step: what it said before a tool call, and what after.
    return answers.filter((text) => text !== "").join("\n\n");
  } finally {
    client.close();
    await engine.close();
  }
}
