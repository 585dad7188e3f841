import { type Clock, othersFirst } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { EventLog } from "../event/event-log.ts";
import { findFirstSaid } from "../message/message-store.ts";
import { ModelError } from "../model/model.ts";
import type { ModelCache } from "../model/model-cache.ts";
import { callModel } from "../model/retry.ts";
import { titleRequest } from "../model/title-request.ts";
import { modelInForce, type Profiles } from "../profile/profile.ts";
import { findSession, type StoredSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import { NO_USAGE, type Usage } from "../usage/usage.ts";
import { giveTitle } from "./give-title.ts";
import { cleanTitle, firstWords } from "./title.ts";

export interface TitleDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly profiles: Profiles;
  readonly models: ModelCache;
  readonly random: () => number;
  readonly onBug: (what: string, error: unknown) => void;
}

/** Names sessions that nobody has named. */
export interface Titles {
  /**
   * Gives a session that has no title one, in the background; does nothing where it has one or is being given one.
   * `model` is the one in force for the turn; empty = the session's.
   */
  begin(session: StoredSession, model: string): void;
  /** Drops what is being made for a session that is gone. */
  drop(sessionId: string): void;
  /** Ends what is being made: it gets the first words. Later beginnings do nothing. */
  close(): Promise<void>;
}

/** A title that takes longer is not worth its wait. */
const MAX_WAIT_MS = 30_000;

/** A model that says more than this has not understood what it was asked. */
const MAX_ANSWER_CHARS = 1000;

/** Why a title is not waited for. */
class TitleStop extends Error {
  override readonly name = "TitleStop";
}

/** With `off` a title is the first words that were said, and no model is called for it. */
export function createTitles(deps: TitleDeps, mode: "model" | "off"): Titles {
  const making = new Map<string, { readonly controller: AbortController; done: Promise<void> }>();
  let isClosed = false;

  async function make(sessionId: string, modelOverride: string, signal: AbortSignal): Promise<void> {
    // Of the answer, whose first piece is about to be sent: nobody waits for a title.
    await othersFirst();
    const session = await findSession(deps.db, sessionId);
    if (session === undefined || session.title !== "") return;
    const said = await findFirstSaid(deps.db, session.key);
    const words = firstWords(said);
    if (words === "") return;
    const asked = mode === "off" ? NOTHING_ASKED : await askModel(deps, session, modelOverride, said, signal);
    await giveTitle(deps, sessionId, asked.title || words, asked.usage);
  }

  return {
    begin({ id, title }, model) {
      if (title !== "" || isClosed || making.has(id)) return;
      const controller = new AbortController();
      const entry = { controller, done: Promise.resolve() };
      making.set(id, entry);
      entry.done = make(id, model, controller.signal)
        .catch((error: unknown) => {
          // The session is gone, or the disk takes nothing: it has no title, and the next answer is another occasion.
          if (!(error instanceof DomainError)) deps.onBug(`title of ${id}`, error);
        })
        .finally(() => making.delete(id));
    },
    drop: (sessionId) => making.get(sessionId)?.controller.abort(new TitleStop("the session is gone")),
    async close() {
      isClosed = true;
      for (const { controller } of making.values()) controller.abort(new TitleStop("the engine stops"));
      await Promise.all([...making.values()].map(({ done }) => done));
    },
  };
}

/** What came of asking a model. */
interface Asked {
  /** Empty = nothing that can be used. */
  readonly title: string;
  /** Undefined = nothing was called. */
  readonly usage: Usage | undefined;
}

const NOTHING_ASKED: Asked = { title: "", usage: undefined };

/** One call, not tried again: the first words are good enough. */
async function askModel(
  deps: TitleDeps,
  session: StoredSession,
  modelOverride: string,
  said: string,
  signal: AbortSignal,
): Promise<Asked> {
  const own = new AbortController();
  const cancelTimer = deps.clock.after(MAX_WAIT_MS, () => own.abort(new TitleStop("it took too long")));
  const limits = { maxAttempts: 1, maxSilenceMs: MAX_WAIT_MS, maxSilenceBeforeFirstMs: MAX_WAIT_MS };
  let usage: Usage | undefined;
  try {
    const named = { profile: session.profile, model: modelOverride || session.model };
    const { profile, model } = modelInForce(deps.profiles, named);
    const lease = deps.models.acquire(profile);
    try {
      const request = titleRequest(model, said);
      let text = "";
      usage = { ...NO_USAGE, modelCalls: 1 };
      for await (const event of callModel(lease.model, request, limits, AbortSignal.any([signal, own.signal]), deps)) {
        if (event.kind === "text") text += event.text;
        if (event.kind === "usage") usage = { ...event.usage, modelCalls: 1 };
        if (text.length > MAX_ANSWER_CHARS) break;
      }
      return { title: cleanTitle(text), usage };
    } finally {
      lease.release();
    }
  } catch (error) {
    const isForeseen = error instanceof TitleStop || error instanceof ModelError || error instanceof DomainError;
    if (!isForeseen) deps.onBug(`title of ${session.id}`, error);
    return { title: "", usage };
  } finally {
    cancelTimer();
  }
}
