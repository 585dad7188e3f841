import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { type Client, reasonOf, type Turn } from "../../client/client.ts";
import { attachFile, type AttachedFile } from "../attach-file.ts";
import type { ModeWord } from "../permissions/names.ts";
import { modeOf } from "../permissions/words.ts";
import { resolveSession } from "../session-ref.ts";
import { tryAgain } from "../try-again.ts";

export interface RunOptions {
  readonly session?: string;
  readonly profile?: string;
  /** The definition that a new session is made by. */
  readonly agent?: string;
  readonly model?: string;
  readonly system?: string;
  /** The folder that a new session may touch. */
  readonly workspace?: string;
  /** What a new session lets run unasked. */
  readonly approve?: keyof typeof APPROVALS;
  /** The same, in the words of the modes. */
  readonly mode?: ModeWord;
  /** Paths of pictures, and of other files. */
  readonly image?: readonly string[];
  readonly file?: readonly string[];
}

/** Nobody is asked, and what would have to be is not done; edits in the folder run; everything does. */
const APPROVALS = { none: "restricted", edits: "auto_approve_edits", all: "trust_all" } as const;

/** What is left behind is looked after for so long, and no longer. */
const CLEAN_UP_MS = 2000;

/** Says something in a session, or in a new one, which does not stay where its turn does not begin. */
export async function startTurn(client: Client, text: string, options: RunOptions, signal: AbortSignal): Promise<Turn> {
  // First: a file that is not there must leave no session behind.
  const attached = await attachAll(client, options, signal);
  const parts = [{ content: { case: "text" as const, value: text } }, ...attached];
  if (options.session !== undefined) {
    const sessionId = await resolveSession(client, options.session);
    return start(client, { sessionId, parts, model: options.model ?? "" }, signal);
  }
  const sessionId = await createSession(client, options, signal);
  try {
    // It has its model already.
    return await start(client, { sessionId, parts, model: "" }, signal);
  } catch (error) {
    const isOver = signal.aborted || reasonOf(error) !== undefined;
    // Why it did not begin is what is told, and not what else went wrong then.
    if (isOver) await removeUnused(client, sessionId).catch(() => undefined);
    throw error;
  }
}

interface Begin {
  readonly sessionId: string;
  readonly parts: readonly AttachedFile["part"][];
  readonly model: string;
}

async function start(client: Client, { sessionId, parts, model }: Begin, signal: AbortSignal): Promise<Turn> {
  const request = { sessionId, idempotencyKey: randomUUID(), parts: [...parts], model };
  const { turn } = await tryAgain(() => client.messages.startTurn(request, { signal }), signal);
  if (turn === undefined) throw new Error("the engine started no turn");
  return turn;
}

/** A turn that had begun after all is cancelled, and its session stays. */
async function removeUnused(client: Client, sessionId: string): Promise<void> {
  const options = { timeoutMs: CLEAN_UP_MS };
  try {
    await client.messages.cancelTurn({ sessionId }, options);
  } catch (error) {
    if (reasonOf(error)?.reason !== "NO_TURN_RUNNING") throw error;
    await client.sessions.deleteSession({ sessionId }, options);
  }
}

async function attachAll(client: Client, { image = [], file = [] }: RunOptions, signal: AbortSignal) {
  const parts: AttachedFile["part"][] = [];
  for (const path of image) parts.push((await attachFile(client, path, "image", signal)).part);
  for (const path of file) parts.push((await attachFile(client, path, "file", signal)).part);
  return parts;
}

async function createSession(client: Client, options: RunOptions, signal: AbortSignal): Promise<string> {
  const { profile = "", agent = "", model = "", system = "", workspace, approve } = options;
  const mode = options.mode ?? (approve && APPROVALS[approve]);
  const request = {
    profile,
    agent,
    model,
    systemPrompt: system,
    workspace: workspace === undefined ? "" : resolve(workspace),
    ...(mode !== undefined && { approvalMode: modeOf(mode) }),
  };
  // The first call of this process: an engine that is not there is said at once, not waited for.
  const { session } = await client.sessions.createSession(request, { signal });
  return session?.id ?? "";
}
