import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  ApprovalMode,
  type Client,
  createClient,
  type Event,
  RevertOutcome,
  type Turn,
} from "../../src/client/client.ts";
import { startUpstream, type Upstream } from "../api/scripted-upstream.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { control, type Figure, figure, none } from "./figure.ts";
import { createLives, type Lives } from "./lives.ts";

export interface EditKillResult {
  readonly kills: number;
  /** Files that a turn was about to change when its engine died. */
  readonly files: number;
  /** Of them those that were changed by then. */
  readonly changed: number;
  /** Files that hold neither what they held nor what was written. */
  readonly torn: number;
  /** Files that a revert did not bring back to what they held. */
  readonly lost: number;
}

const FILES = 6;
/** So large that writing one takes about as long as keeping it. */
const FILE_BYTES = 150_000;

/** Kills engines while a turn changes files by `tool`, and takes back what the turn did. */
export async function runEditKill(kills: number, tool: "write_file" | "write_first"): Promise<EditKillResult> {
  const lives = await createLives();
  const upstream = await startUpstream();
  const workspace = makeTempDir("edited");
  const entry = join(import.meta.dirname, "engine-entry.ts");
  const env = {
    OPENAI_BASE_URL: upstream.url,
    OPENAI_API_KEY: "sk-test",
    PARLEY_TITLES: "off",
    PARLEY_FAULT_WRITER: "1",
  };
  const start = () => lives.start({ entry, env });
  const first = await start();
  if (first === undefined) throw new Error("the first engine was killed");
  const client = createClient(first);
  const sum = { kills: 0, files: 0, changed: 0, torn: 0, lost: 0 };
  try {
    const settings = { approvalMode: ApprovalMode.TRUST_ALL, workspace, profile: "openai" };
    const sessionId = (await client.sessions.createSession(settings)).session!.id;
    for (; sum.kills < kills; sum.kills++) {
      const contents = await prepare(workspace);
      const turn = await begin(client, upstream, { sessionId, tool, contents });
      await pause(Math.random() * 60);
      await lives.kill();
      await start();
      const outcome = await look(lives, client, { sessionId, turn, workspace, contents });
      sum.files += FILES;
      sum.changed += outcome.changed;
      sum.torn += outcome.torn;
      sum.lost += outcome.lost;
    }
    return sum;
  } finally {
    client.close();
    await lives.close();
    await upstream.close();
  }
}

interface Contents {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

function makeText(): string {
  return randomBytes(FILE_BYTES / 2).toString("hex");
}

async function prepare(workspace: string): Promise<readonly Contents[]> {
  await mkdir(join(workspace, "src"), { recursive: true });
  const contents = Array.from({ length: FILES }, (_, i) => ({
    name: `src/${i}.txt`,
    before: makeText(),
    after: makeText(),
  }));
  for (const { name, before } of contents) await writeFile(join(workspace, name), before);
  return contents;
}

interface Editing {
  readonly sessionId: string;
  readonly tool: string;
  readonly contents: readonly Contents[];
}

/** Starts a turn that changes all files; resolves when the first of its calls runs. */
async function begin(client: Client, upstream: Upstream, { sessionId, tool, contents }: Editing): Promise<Turn> {
  upstream.script((answer, { messages }) => {
    if (messages.at(-1)?.role === "user") {
      for (const [i, { name, after }] of contents.entries()) {
        answer.call(`c${i}`, tool, JSON.stringify({ path: name, content: after }));
      }
    }
    answer.end();
  });
  const parts = [{ content: { case: "text" as const, value: "go" } }];
  const { turn } = await client.messages.startTurn({ sessionId, parts });
  const first = await nextOf(client, turn!, ["toolCallStarted", "turnEnded"]);
  if (first.case === "turnEnded") throw new Error(`the turn ended: ${first.value.error?.message ?? "with no call"}`);
  return turn!;
}

type Told = Event["payload"];

/** Waits for the first event of these kinds of a turn. */
async function nextOf(client: Client, turn: Turn, kinds: readonly Told["case"][]): Promise<Told> {
  const controller = new AbortController();
  const request = { sessionId: turn.sessionId, afterSeq: turn.firstSeq - 1n };
  try {
    for await (const { payload } of client.messages.watchSession(request, { signal: controller.signal })) {
      if (payload.case === "event" && kinds.includes(payload.value.payload.case)) return payload.value.payload;
    }
    throw new Error("the log has ended");
  } finally {
    controller.abort();
  }
}

interface Edited extends Omit<Editing, "tool"> {
  readonly turn: Turn;
  readonly workspace: string;
}

async function look(lives: Lives, client: Client, { sessionId, turn, workspace, contents }: Edited) {
  const read = ({ name }: Contents): Promise<string> => readFile(join(workspace, name), "utf8");
  let changed = 0;
  let torn = 0;
  for (const file of contents) {
    const found = await read(file);
    if (found === file.after) changed++;
    else if (found !== file.before) torn++;
  }
  // A call that was allowed and had not begun may be run by the next engine.
  await lives.untilAnswered(() => nextOf(client, turn, ["turnEnded"]));
  const { answer } = await lives.untilAnswered(() =>
    client.sessions.revertFiles({ sessionId, turnId: turn.id, idempotencyKey: turn.id }),
  );
  let lost = 0;
  for (const file of contents) if ((await read(file)) !== file.before) lost++;
  const fine: readonly RevertOutcome[] = [RevertOutcome.REVERTED, RevertOutcome.AS_BEFORE];
  lost += answer.files.filter(({ outcome }) => !fine.includes(outcome)).length;
  return { changed, torn, lost };
}

export function editKillFigures({ kills, files, changed, torn, lost }: EditKillResult): readonly Figure[] {
  return [
    figure("kill -9 while a turn changes files", kills, "all of them", kills > 0),
    figure(
      "of the files changed when it came",
      `${changed} of ${files}`,
      "some, not all",
      changed > 0 && changed < files,
    ),
    none("files that were half written", torn, files),
    none("files that could not be taken back", lost, files),
  ];
}

export async function editKill(kills: number): Promise<readonly Figure[]> {
  const kept = await runEditKill(kills, "write_file");
  const late = await runEditKill(kills, "write_first");
  return [
    ...editKillFigures(kept),
    control("write first, keep what it was afterwards", late.lost, `of ${late.files} files could not be taken back`),
  ];
}
