import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient } from "../src/client/client.ts";
import { parley } from "./cli-process.ts";
import { type EngineProcess, startEngineProcess } from "./helpers/engine-process.ts";
import { succeed } from "./third-party/programs.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGES = [
  ...readdirSync(ROOT).filter((file) => file.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** A page without its code, in which a bracket is no link. */
const prose = (page: string): string => read(page).replaceAll(/^```[^]*?^```/gm, "");

/** As GitHub makes it of a heading; the second of the same gets a number, and so on. */
function anchors(page: string): Set<string> {
  const found = new Map<string, number>();
  for (const [, heading = ""] of prose(page).matchAll(/^#{1,6} (.+)$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
    const count = found.get(anchor) ?? 0;
    found.set(anchor, count + 1);
    if (count > 0) found.set(`${anchor}-${count}`, 1);
  }
  return new Set(found.keys());
}

/** Links to places of this repository that are not there. */
function brokenLinks(page: string): string[] {
  const links = prose(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g);
  return [...links]
    .map(([, link = ""]) => link)
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchors(target).has(anchor);
    });
}

/** Code that a page says it cut out of a file. */
function excerpts(page: string): { readonly file: string; readonly code: string }[] {
  const found = read(page).matchAll(/<!-- excerpt: (\S+) -->\n```\w+\n([^]*?)^```$/gm);
  return [...found].map(([, file = "", code = ""]) => ({ file, code }));
}

describe.each(PAGES)("%s", (page) => {
  it("links to places that are there", () => {
    expect(brokenLinks(page)).toEqual([]);
  });

  it("cuts its code out of files as they are", () => {
    for (const { file, code } of excerpts(page)) expect(read(file)).toContain(code);
  });
});

it("finds excerpts and links at all", () => {
  expect(excerpts("docs/streams.md").length).toBeGreaterThan(5);
  expect(resolve(ROOT, "docs/streams.md")).toSatisfy(existsSync);
  expect(anchors("docs/streams.md")).toContain("a-list-of-sessions");
});

describe("the settings in docs/operations.md", () => {
  const page = read("docs/operations.md");
  const documented = (form: RegExp): string[] => [...new Set(page.match(form))].toSorted();

  it("are the flags that the command line takes", async () => {
    const { stdout } = await parley(["serve", "--help"]);
    const taken = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag!);
    const settings = taken.filter((flag) => !["--help", "--version", "--json"].includes(flag));
    expect(settings.length).toBeGreaterThan(10);
    const section = /^## Settings$[^]*?^## /m.exec(page)![0];
    expect([...new Set(section.match(/(?<=`)--[a-z-]+/g))].toSorted()).toEqual(settings.toSorted());
  });

  it("are the variables that are read", () => {
    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
      .map((file) => read(join("src", file)));
    const names = sources.flatMap((source) => source.match(/(?<=")(?:PARLEY|OPENAI)_[A-Z_]+(?=")/g) ?? []);
    // The launcher tells the program by it how it was called.
    const readOnes = new Set(names.filter((name) => name !== "PARLEY_COMMAND"));
    expect(documented(/(?:PARLEY|OPENAI)_[A-Z_]+/g)).toEqual([...readOnes].toSorted());
  });
});

it("the export that docs/operations.md shows can be imported", async () => {
  const [, file = ""] = /<!-- imports -->\n```json\n([^]*?)^```$/m.exec(read("docs/operations.md"))!;
  const engine = await startEngineProcess();
  const headers = { authorization: `Bearer ${engine.token}` };
  const uploaded = await fetch(`${engine.url}/blobs`, { method: "POST", headers, body: file });
  const { sha256 } = (await uploaded.json()) as { sha256: string };
  const client = createClient({ url: engine.url, token: engine.token });
  expect(await client.sessions.importSessions({ blobs: [sha256] })).toMatchObject({
    sessionCount: 1n,
    messageCount: 4n,
  });
  const pieces: Uint8Array[] = [];
  for await (const { data } of client.sessions.exportSessions({})) pieces.push(data);
  expect(Buffer.concat(pieces).toString()).toBe(file);
  client.close();
  await engine.stop();
});

describe("the shell commands of docs/streams.md", () => {
  let engine: EngineProcess;
  let client: Client;
  beforeAll(async () => {
    engine = await startEngineProcess();
    client = createClient({ url: engine.url, token: engine.token });
  });
  afterAll(async () => {
    client.close();
    await engine.stop();
  });

  it("run as they are printed", async () => {
    const { session } = await client.sessions.createSession({ title: "Grüße" });
    const parts = [{ content: { case: "text" as const, value: "echo: one 👋" } }];
    for await (const _ of client.messages.sendMessage({ sessionId: session!.id, parts })) continue;
    const blocks = [...read("docs/streams.md").matchAll(/<!-- runs -->\n```sh\n([^]*?)^```$/gm)].map(
      ([, code]) => code!,
    );
    expect(blocks).toHaveLength(3);
    const env = { TOKEN: engine.token, URL: engine.url, SES: session!.id };
    const [snapshot, events, asked] = await Promise.all(blocks.map((code) => succeed("bash", ["-c", code], { env })));
    expect(JSON.parse(snapshot!)).toMatchObject({ session: { title: "Grüße" }, messages: [{}, {}] });
    const lines = events!
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, object>);
    expect(lines[0]).toHaveProperty("checkpoint");
    expect(events).toContain('"reason":"TURN_END_REASON_COMPLETED"');
    expect(JSON.parse(asked!)).toMatchObject({ request: { title: "deploy?", state: "REQUEST_STATE_OPEN" } });
  });
});
