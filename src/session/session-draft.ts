import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { EncodePayload, EventPayload } from "../event/event.ts";
import { insertEvents } from "../event/event-store.ts";
import { copyMessages, insertMessages, type CopiedMessage, type PlacedMessage } from "../message/message-store.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import {
  dropAllDrafts,
  dropDraft,
  findDraftMessages,
  insertDraft,
  listDraftKeys,
  publishDraft,
  setCopiedEnd,
  setDraftEnd,
} from "./draft-store.ts";
import type { NewSession } from "./draft-store.ts";
import { HistoryChanged, type History } from "./history/history.ts";
import type { RemovedSessions } from "./removed-sessions.ts";

export interface SessionDraftsDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly encode: EncodePayload;
  readonly removed: RemovedSessions;
  /** Throws DomainError `ENGINE_STOPPING` once the engine takes no new work. */
  readonly checkRunning: () => void;
  readonly onBug: (what: string, error: unknown) => void;
}

/** Sessions that nobody sees until all of them are there. */
export interface SessionDraft {
  /** Adds sessions; answers their keys, in order. */
  addSessions(sessions: readonly NewSession[]): Promise<readonly number[]>;
  /**
   * Adds messages, each with the event that tells of it; in a session their places go from 1 on without a gap. They are one transaction: a few hundred, so that nobody who streams
   * notices.
   */
  addMessages(messages: readonly PlacedMessage[]): Promise<void>;
  /** Adds messages of a history to one session, in the same way. Throws `HistoryChanged` where it is no more what was read. */
  copyMessages(history: History, sessionKey: number, messages: readonly CopiedMessage[]): Promise<void>;
  /** Adds what else the log of a session tells at its end, with what that changes. */
  addEvent(sessionKey: number, seq: number, payload: EventPayload, changes: readonly Statement[]): Promise<void>;
  /** Those of these ids that messages of the draft have. */
  messagesAmong(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Makes the sessions appear, all in one transaction, together with these changes. */
  publish(also: readonly Statement[]): Promise<void>;
}

/** Makes sessions of many messages, piece by piece. */
export interface SessionDrafts {
  /** Lets `fill` fill and publish a draft. Where it throws, what it made is taken back, in the background. */
  make<T>(actor: string, fill: (draft: SessionDraft) => Promise<T>): Promise<T>;
  /** Takes back what an engine that died was making. To be called before the first draft. */
  dropLeftOver(): Promise<void>;
  /** Waits for the drafts that are being made; once the engine stops they end with their next piece. */
  close(): Promise<void>;
}

export function createSessionDrafts(deps: SessionDraftsDeps): SessionDrafts {
  const { db, removed, onBug } = deps;
  const open = new Set<Promise<unknown>>();

  async function fillAndClear<T>(actor: string, fill: (draft: SessionDraft) => Promise<T>): Promise<T> {
    const name = randomUUID();
    try {
      return await fill(createDraft(deps, name, actor));
    } catch (error) {
      // Where the disk refuses even this, the next start does it.
      await db
        .transact(dropDraft(name), { essential: true })
        .catch((cause: unknown) => onBug("dropping a draft", cause));
      removed.sweep();
      throw error;
    }
  }

  return {
    make: async (actor, fill) => {
      const mine = fillAndClear(actor, fill);
      open.add(mine);
      try {
        return await mine;
      } finally {
        open.delete(mine);
      }
    },
    dropLeftOver: () => db.transact(dropAllDrafts(), { essential: true }),
    close: async () => {
      await Promise.allSettled(open);
    },
  };
}

function createDraft(
  { db, clock, encode, checkRunning }: SessionDraftsDeps,
  name: string,
  actor: string,
): SessionDraft {
  let sessionCount = 0;
  let lastKey = 0;

  function eventOf(sessionKey: number, seq: number, turnId: string, payload: EventPayload) {
    return { sessionKey, event: { seq, createTimeMs: clock.now(), turnId, actor, payload: encode(payload) } };
  }

  function completed({ sessionKey, seq, message }: PlacedMessage) {
    return eventOf(sessionKey, seq, message.turnId, { kind: "message_completed", message });
  }

  return {
    addSessions: async (sessions) => {
      checkRunning();
      await db.transact(sessions.flatMap((session) => insertDraft(name, session, clock.now())));
      const keys = await listDraftKeys(db, name, lastKey);
      sessionCount += sessions.length;
      lastKey = keys.at(-1) ?? lastKey;
      return keys;
    },
    addMessages: async (messages) => {
      checkRunning();
      const ends = new Map(messages.map(({ sessionKey, seq }) => [sessionKey, seq]));
      const moved = [...ends].map(([key, lastSeq]) => setDraftEnd(key, lastSeq));
      await db.transact([...insertMessages(messages), ...insertEvents(messages.map(completed)), ...moved]);
    },
    copyMessages: async ({ session }, sessionKey, messages) => {
      checkRunning();
      const moved = setCopiedEnd(sessionKey, messages.at(-1)?.seq ?? 0, session);
      const events = insertEvents(messages.map(completed));
      try {
        await db.transact([moved, copyMessages(sessionKey, messages), ...events]);
      } catch (error) {
        throw error instanceof ClaimLost && error.claim === moved.claim ? new HistoryChanged() : error;
      }
    },
    addEvent: async (sessionKey, seq, payload, changes) => {
      checkRunning();
      const event = eventOf(sessionKey, seq, "", payload);
      await db.transact([...insertEvents([event]), setDraftEnd(sessionKey, seq), ...changes]);
    },
    messagesAmong: (ids) => findDraftMessages(db, name, ids),
    publish: async (also) => {
      checkRunning();
      await db.transact([...publishDraft(name, sessionCount), ...also]);
    },
  };
}
