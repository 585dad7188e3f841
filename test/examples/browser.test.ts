import type { Server } from "node:http";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { servePage } from "../../examples/browser/serve.ts";
import { createClient } from "../../src/client/client.ts";
import { type EngineProcess, startEngineProcess } from "../helpers/engine-process.ts";
import { findProgram } from "../third-party/place.ts";

const executablePath = findProgram("chromium");

describe.skipIf(executablePath === undefined)("the page of another origin, in Chromium", () => {
  let served: { origin: string; server: Server };
  let browser: Browser;
  let engine: EngineProcess;
  let page: Page;
  beforeAll(async () => {
    served = await servePage(0);
    // Chromium has no sandbox of its own for root, as in most containers.
    const args = ["--no-sandbox", "--disable-background-networking"];
    browser = await chromium.launch({ executablePath: executablePath!, args });
  });
  afterEach(async () => {
    await page.context().close();
    await engine.stop();
  });
  afterAll(async () => {
    await browser.close();
    served.server.close();
  });

  async function openPage(args: readonly string[], token?: string): Promise<void> {
    engine = await startEngineProcess({ args });
    page = await (await browser.newContext({ viewport: { width: 1100, height: 700 } })).newPage();
    await page.goto(served.origin);
    await page.fill("#url", engine.url);
    await page.fill("#token", token ?? engine.token);
    await page.click("#connect button");
  }

  const say = async (text: string): Promise<void> => {
    await page.fill("#text", text);
    await page.press("#text", "Enter");
  };
  const state = (kind: string): Promise<unknown> => page.waitForSelector(`#state[data-kind=${kind}]`);
  const shown = (): Promise<string[]> => page.locator("#transcript .message").allTextContents();

  /** The session's messages as the engine has them. */
  async function stored(): Promise<string[]> {
    const client = createClient({ dataDir: engine.dataDir, env: {} });
    const [session] = (await client.sessions.listSessions({ pageSize: 1 })).sessions;
    const { messages } = await client.sessions.listMessages({ sessionId: session!.id });
    client.close();
    return messages.map(({ parts }) =>
      parts.map(({ content }) => (content.case === "text" ? content.value : "")).join(""),
    );
  }

  it("lists sessions, shows text as it is made, and goes on over kill -9 of the engine", async () => {
    const origin = ["--allow-origin", served.origin];
    await openPage(origin);
    await state("live");
    await page.click("#new");
    await page.waitForSelector("nav li button[aria-current=true]");
    await say("echo: <b>bold?</b> & Grüße 👋");
    await page.locator("#transcript").getByText("<b>bold?</b> & Grüße 👋", { exact: true }).waitFor();
    await say("write 100 words");
    await expect.poll(async () => (await shown()).at(-1)?.length ?? 0).toBeGreaterThan(100);
    await page.waitForSelector("nav li button[data-running=true]");
    const { dataDir, port } = engine;
    await engine.kill();
    await state("away");
    engine = await startEngineProcess({ dataDir, port, args: origin });
    await state("live");
    await page.waitForSelector("nav li button[data-running=false]");
    const messages = await stored();
    // What the model said before the kill, cut off, and the turn that went on by itself.
    expect(messages).toHaveLength(5);
    await expect.poll(shown).toEqual(messages);
    expect(await page.locator("#transcript .message.cut").count()).toBe(1);
    // The log replayed from its beginning shows the same.
    await page.reload();
    await state("live");
    await page.click("nav li button");
    await expect.poll(shown).toEqual(messages);
    expect(await page.locator("#transcript b").count()).toBe(0);
  });

  it("shows what waits for a human, and answers it", async () => {
    await openPage(["--allow-origin", served.origin]);
    await state("live");
    await page.click("#new");
    await page.waitForSelector("nav li button[aria-current=true]");
    await say("write a file named hello.txt that says <b>hi</b>");
    await page.locator("#requests pre").getByText("+<b>hi</b>").waitFor();
    await page.click("#requests button:text('Allow once')");
    await page.locator("#transcript").getByText("made hello.txt").first().waitFor();
    await say("ask me to choose between tea and coffee");
    await page.click("#requests button:text('coffee')");
    await page.locator("#transcript").getByText("You answered: coffee").waitFor();
    expect(await page.locator(".request").count()).toBe(0);
  });

  it("does not reach an engine that did not allow its origin", async () => {
    await openPage([]);
    await state("away");
    expect(await page.locator("nav li").count()).toBe(0);
  });

  it("says what the engine says to a wrong token", async () => {
    await openPage(["--allow-origin", served.origin], "not-the-token-of-this-engine");
    await state("refused");
    expect(await page.locator("#state").textContent()).toContain("the token of this call is not one of this engine's");
  });

  it("shows a session that another client makes, renames and deletes", async () => {
    await openPage(["--allow-origin", served.origin]);
    await state("live");
    const client = createClient({ dataDir: engine.dataDir, env: {} });
    const { session } = await client.sessions.createSession({ title: "made elsewhere" });
    await page.getByText("made elsewhere").waitFor();
    await client.sessions.updateSession({ sessionId: session!.id, title: "renamed elsewhere" });
    await page.getByText("renamed elsewhere").waitFor();
    await client.sessions.deleteSession({ sessionId: session!.id });
    await expect.poll(() => page.locator("nav li").count()).toBe(0);
    client.close();
  });
});
