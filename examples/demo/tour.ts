import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createPage, type Page } from "../../src/cli/view/page.ts";
import type { Output } from "../../src/cli/output.ts";
import { createSessionView } from "../../src/cli/view/session-view.ts";
import { diffLines } from "../../src/cli/terminal/diff-lines.ts";
import {
  Access_Scope,
  type Client,
  createClient,
  type Event,
  type FollowItem,
  followSession,
  PermissionDecision,
  PermissionScope,
  TurnEndReason,
} from "../../src/client/client.ts";
import type { DemoEngine } from "./engine.ts";
import { createHuman, type Human } from "./human.ts";

export interface TourOptions {
  readonly output: Output;
  readonly engine: DemoEngine;
  /** The folder that the agent may touch; made. */
  readonly workspace: string;
  readonly signal: AbortSignal;
}

interface Tour {
  readonly client: Client;
  readonly engine: DemoEngine;
  readonly ada: Human;
  readonly page: Page;
  readonly output: Output;
  readonly workspace: string;
  readonly sessionId: string;
  /** Says something to the agent and shows what happens; resolves to the turn's id when it has ended. */
  say(text: string): Promise<string>;
  /** Shows what happens until such an event has been shown. */
  until(isLast: (event: Event) => boolean): Promise<Event>;
}

/** Plays all of it; rejects where anything went otherwise than told. */
export async function playTour(options: TourOptions): Promise<void> {
  const { output, engine, workspace } = options;
  const page = createPage(output);
  const leaving = new AbortController();
  const signal = AbortSignal.any([options.signal, leaving.signal]);
  const client = createClient({ url: engine.url, token: engine.token });
  const { secret } = await client.engine.createToken({ name: "ada", scope: Access_Scope.OPERATE });
  const adasClient = createClient({ url: engine.url, token: secret });
  await mkdir(workspace, { recursive: true });
  await writeFile(join(workspace, "notes.txt"), "buy bread\n");
  try {
    tell(page, output, [
      "An engine runs on this machine, with its built-in demo model, which is no AI. An agent gets a folder to work in.",
      "Somebody called ada has a client and a token of her own: she is asked what the agent may not decide.",
    ]);
    const { session } = await client.sessions.createSession({
      profile: "demo",
      title: "A tour",
      // Its own pace is for people who read along.
      systemPrompt: "Answer as fast as you can.",
      workspace,
    });
    const sessionId = session!.id;
    // Over restarts of the engine: each event once, none lost.
    const events = followSession(client, { sessionId, afterSeq: 0n, signal });
    try {
      const until = showEvents(events, page, output);
      const say = (text: string): Promise<string> => runTurn(client, sessionId, text, until);
      const ada = createHuman(adasClient, signal);
      await playChapters({ client, engine, ada, page, output, workspace, sessionId, say, until });
    } finally {
      await events.return(undefined);
    }
    tell(page, output, [
      "All of it was stored before it was shown. `parley chat` is the same, with you in ada's place.",
    ]);
  } finally {
    leaving.abort();
    adasClient.close();
    client.close();
  }
}

async function playChapters(tour: Tour): Promise<void> {
  await look(tour);
  await write(tour);
  const turnId = await edit(tour);
  await deny(tour);
  await allowAlways(tour);
  await undo(tour, turnId);
  await askOverKill(tour);
}

/** Each call shows what happens in a session until such an event has been shown. */
function showEvents(events: AsyncIterator<FollowItem>, page: Page, output: Output): Tour["until"] {
  const view = createSessionView(output, { page, isMarkdown: output.isTerminal });
  return async (isLast) => {
    for (;;) {
      const next = await events.next();
      if (next.done === true) throw new Error("the session's events ended");
      const { value } = next;
      if (value.kind === "reset") throw new Error("the session's log is another one now");
      if (value.kind !== "event") continue;
      view.show(value.event);
      if (isLast(value.event)) return value.event;
    }
  };
}

async function runTurn(client: Client, sessionId: string, text: string, until: Tour["until"]): Promise<string> {
  const parts = [{ content: { case: "text" as const, value: text } }];
  const { turn } = await client.messages.startTurn({ sessionId, idempotencyKey: randomUUID(), parts });
  const { payload } = await until((event) => event.payload.case === "turnEnded" && event.turnId === turn!.id);
  const reason = payload.case === "turnEnded" ? payload.value.reason : undefined;
  if (reason !== TurnEndReason.COMPLETED) throw new Error(`the turn "${text}" ended with ${reason}`);
  return turn!.id;
}

async function look(tour: Tour): Promise<void> {
  chapter(tour, 1, "Looking needs nobody's leave");
  await tour.say("list the files");
}

async function write(tour: Tour): Promise<void> {
  chapter(tour, 2, "A new file waits for a human, who sees exactly what will be in it");
  await Promise.all([
    tour.say("write a file named hello.txt that says Hello, world"),
    decide(tour, PermissionDecision.APPROVE),
  ]);
  await expectFile(tour, "hello.txt", "Hello, world\n");
}

async function edit(tour: Tour): Promise<string> {
  chapter(tour, 3, "So does a change of it");
  const [turnId] = await Promise.all([
    tour.say("change world to Ada in it, then read it"),
    decide(tour, PermissionDecision.APPROVE),
  ]);
  await expectFile(tour, "hello.txt", "Hello, Ada\n");
  return turnId;
}

async function deny(tour: Tour): Promise<void> {
  chapter(tour, 4, "Ada says no, and the agent is told why");
  await Promise.all([
    tour.say("delete notes.txt"),
    decide(tour, PermissionDecision.DENY, { reason: "I still need my notes" }),
  ]);
  await expectFile(tour, "notes.txt", "buy bread\n");
}

async function allowAlways(tour: Tour): Promise<void> {
  chapter(tour, 5, "She lets one command run from now on; what is tied to it is asked about all the same");
  await Promise.all([
    tour.say("run `touch done.txt`"),
    decide(tour, PermissionDecision.APPROVE, { scope: PermissionScope.SESSION }),
  ]);
  await tour.say("run `touch done.txt`");
  await Promise.all([
    tour.say("run `touch done.txt; rm notes.txt`"),
    decide(tour, PermissionDecision.DENY, { reason: "not with that behind it" }),
  ]);
  await expectFile(tour, "notes.txt", "buy bread\n");
}

async function undo(tour: Tour, turnId: string): Promise<void> {
  const { client, sessionId, output, page } = tour;
  chapter(tour, 6, "What a turn did to files can be taken back");
  const { files } = await client.sessions.revertFiles({ sessionId, turnId, preview: true });
  for (const { path, diff } of files) {
    page.line("preview", `${path} would become again:`);
    for (const line of diffLines(output, diff, { hidesNames: true })) page.line("preview", `  ${line}`);
  }
  await client.sessions.revertFiles({ sessionId, turnId, idempotencyKey: randomUUID() });
  await tour.until((event) => event.payload.case === "filesReverted");
  await expectFile(tour, "hello.txt", "Hello, world\n");
}

async function askOverKill(tour: Tour): Promise<void> {
  chapter(
    tour,
    7,
    "The agent asks a question; the engine is killed while it waits, and the answer counts all the same",
  );
  const { ada, engine, page, output } = tour;
  const answer = async (): Promise<void> => {
    const { id: requestId, options } = await ada.nextRequest();
    await engine.killAndStartAgain();
    page.line("story", output.style.italic("kill -9, and the engine is started again."));
    const [first] = options;
    const content =
      first === undefined ? { case: "text" as const, value: "tea" } : { case: "optionId" as const, value: first.id };
    const idempotencyKey = randomUUID();
    await ada.call((client) => client.requests.respondRequest({ requestId, idempotencyKey, answer: { content } }));
  };
  await Promise.all([tour.say("ask me to choose between tea and coffee"), answer()]);
}

interface Decided {
  readonly scope?: PermissionScope;
  readonly reason?: string;
}

async function decide({ ada }: Tour, decision: PermissionDecision, how: Decided = {}): Promise<void> {
  const { id: requestId } = await ada.nextRequest();
  const { scope = PermissionScope.ONCE, reason = "" } = how;
  const idempotencyKey = randomUUID();
  await ada.call((client) =>
    client.permissions.resolvePermission({ requestId, idempotencyKey, decision, scope, reason }),
  );
}

async function expectFile({ workspace }: Tour, name: string, content: string): Promise<void> {
  const found = await readFile(join(workspace, name), "utf8");
  if (found !== content)
    throw new Error(`${name} holds ${JSON.stringify(found)} instead of ${JSON.stringify(content)}`);
}

function chapter({ page, output }: Tour, number: number, title: string): void {
  page.line(`chapter ${number}`, output.style.bold(output.style.underline(`${number}. ${title}`)));
}

function tell(page: Page, { style }: Output, lines: readonly string[]): void {
  for (const line of lines) page.line("story", style.italic(line));
}
