import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import { createDemoModel } from "./demo/demo.ts";
import type { Model } from "./model.ts";
import { createOpenaiChatModel } from "./openai/openai-chat.ts";
import type { Proxies } from "./openai/proxies.ts";

/** Everything a client depends on. Profiles fit. */
export interface ModelConfig {
  readonly provider: "demo" | "openai_chat";
  /** Empty = the provider's own. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
}

/** A right to use a model until it is given back. */
interface ModelLease {
  readonly model: Model;
  release(): void;
}

/** Clients of providers: one for each configuration, shared by all who have an equal one. */
export interface ModelCache {
  /** Throws DomainError `ENGINE_STOPPING` once closed. */
  acquire(config: ModelConfig): ModelLease;
  /** Closes every client; calls under way are aborted. */
  close(): Promise<void>;
}

/** How long a client that nobody uses keeps its connections: a session's next message mostly comes within that time. */
const IDLE_MS = 5 * 60_000;

interface Entry {
  readonly key: string;
  readonly model: Model;
  leases: number;
  cancelIdle: (() => void) | undefined;
}

type CreateModel = (config: ModelConfig, clock: Clock) => Model;

/** Makes clients that call their providers through these proxies. */
export function createModelsVia(proxies: Proxies): CreateModel {
  return ({ provider, baseUrl, apiKey }, clock) => {
    switch (provider) {
      case "demo":
        return createDemoModel({ clock });
      case "openai_chat":
        return createOpenaiChatModel({ baseUrl, apiKey, proxies, clock });
    }
  };
}

export function createModelCache(clock: Clock, create: CreateModel): ModelCache {
  const entries = new Map<string, Entry>();
  const closing = new Set<Promise<void>>();
  let isClosed = false;

  function discard(entry: Entry): void {
    entry.cancelIdle?.();
    entries.delete(entry.key);
    const closed = entry.model.close().finally(() => closing.delete(closed));
    closing.add(closed);
  }

  function release(entry: Entry): void {
    entry.leases--;
    if (entry.leases === 0 && !isClosed) entry.cancelIdle = clock.after(IDLE_MS, () => discard(entry));
  }

  return {
    acquire(config) {
      if (isClosed) throw new DomainError("unavailable", "ENGINE_STOPPING", "the engine is stopping");
      const key = JSON.stringify([config.provider, config.baseUrl, config.apiKey ?? null]);
      let entry = entries.get(key);
      if (entry === undefined) {
        entry = { key, model: create(config, clock), leases: 0, cancelIdle: undefined };
        entries.set(key, entry);
      }
      entry.cancelIdle?.();
      entry.cancelIdle = undefined;
      entry.leases++;
      return { model: entry.model, release: once(entry, release) };
    },
    async close() {
      isClosed = true;
      for (const entry of entries.values()) discard(entry);
      await Promise.all(closing);
    },
  };
}

/** A lease given back twice must not take another's away. */
function once(entry: Entry, release: (entry: Entry) => void): () => void {
  let isReleased = false;
  return () => {
    if (!isReleased) release(entry);
    isReleased = true;
  };
}
