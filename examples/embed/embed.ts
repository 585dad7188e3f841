// An engine inside another program: no second process, and the same API. Outside this repository the imports are
// "parley" and "parley/client".
import { createClient } from "../../src/client/client.ts";
import { readConfig } from "../../src/config.ts";
import { startEngine } from "../../src/engine.ts";

/** Starts an engine on a folder, has it answer once, and stops it. */
export async function embed(dataDir: string, question: string): Promise<string> {
  const engine = await startEngine(readConfig(process.env, { dataDir, port: "0", logLevel: "warn" }));
  const client = createClient({ url: engine.url, token: engine.token });
  try {
    const { session } = await client.sessions.createSession({ profile: "demo" });
    const parts = [{ content: { case: "text" as const, value: question } }];
    let answer = "";
    for await (const { payload } of client.messages.sendMessage({ sessionId: session?.id ?? "", parts })) {
      if (payload.case === "event" && payload.value.payload.case === "textDelta")
        answer += payload.value.payload.value.text;
    }
    return answer;
  } finally {
    client.close();
    await engine.close();
  }
}
