import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { createClient, type Client } from "../../src/client/client.ts";
import { readConfig, startEngine } from "../../src/engine.ts";
import { refusalOf, text } from "./observe.ts";

const dataDir = mkdtempSync(join(tmpdir(), "parley-gone-profile-"));
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

async function withEngine(env: Record<string, string>, use: (client: Client) => Promise<void>): Promise<void> {
  const engine = await startEngine(readConfig(env, { dataDir, port: "0", logLevel: "error" }));
  const client = createClient({ url: engine.url, token: engine.token });
  try {
    await use(client);
  } finally {
    client.close();
    await engine.close();
  }
}

it("a session whose profile is gone is shown, renamed and moved to another; only its turns are refused", async () => {
  let sessionId = "";
  await withEngine({ OPENAI_BASE_URL: "http://127.0.0.1:9/v1" }, async ({ sessions }) => {
    sessionId = (await sessions.createSession({ profile: "openai" })).session!.id;
  });
  await withEngine({}, async ({ sessions, messages }) => {
    expect((await sessions.listSessions({})).sessions).toMatchObject([{ id: sessionId, profile: "openai", model: "" }]);
    await sessions.updateSession({ sessionId, title: "still here" });
    const parts = text("hello");
    expect(await refusalOf(messages.startTurn({ sessionId, parts }))).toMatchObject({ reason: "PROFILE_NOT_FOUND" });
    const { session } = await sessions.updateSession({ sessionId, profile: "demo" });
    expect(session).toMatchObject({ title: "still here", profile: "demo", model: "demo" });
    await messages.startTurn({ sessionId, parts });
  });
});
