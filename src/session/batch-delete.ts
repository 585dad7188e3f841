import { DomainError } from "../errors.ts";
import { deleteSession, type DeleteSessionDeps } from "./delete-session.ts";
import { findSession } from "./session-store.ts";

/** Each may wait up to 10 s for its turn to stop, which costs nothing but time. */
const AT_ONCE = 64;

/** A session that was not removed. */
export interface DeleteFailure {
  readonly sessionId: string;
  readonly reason: string;
  readonly message: string;
}

export interface BatchDeleted {
  readonly deletedIds: readonly string[];
  readonly failures: readonly DeleteFailure[];
}

export interface BatchDeleteDeps extends DeleteSessionDeps {
  readonly onBug: (what: string, error: unknown) => void;
}

/**
 * Removes several sessions, each as `deleteSession` does; what cannot be removed is told and stops no other. One that went with
 * another of them, which had started it, is gone as the others are.
 */
export async function batchDelete(
  deps: BatchDeleteDeps,
  sessionIds: readonly string[],
  actor: string,
): Promise<BatchDeleted> {
  const there = await findThere(deps, sessionIds);
  const outcomes = new Map<string, DeleteFailure | undefined>();
  const left = [...sessionIds].values();
  // All take from the one list, so that one that waits keeps no other waiting.
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const id of left) outcomes.set(id, await tryDelete(deps, id, actor));
    }),
  );
  const failedIds = sessionIds.filter((id) => outcomes.get(id) !== undefined);
  const stillThere = await findThere(deps, failedIds);
  for (const id of failedIds) if (there.has(id) && !stillThere.has(id)) outcomes.delete(id);
  return {
    deletedIds: sessionIds.filter((id) => outcomes.get(id) === undefined),
    failures: sessionIds.flatMap((id) => outcomes.get(id) ?? []),
  };
}

async function findThere({ db }: BatchDeleteDeps, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await Promise.all(ids.map((id) => findSession(db, id)));
  return new Set(found.flatMap((session) => session?.id ?? []));
}

async function tryDelete(deps: BatchDeleteDeps, sessionId: string, actor: string): Promise<DeleteFailure | undefined> {
  try {
    await deleteSession(deps, sessionId, actor);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return { sessionId, reason: error.reason, message: error.message };
    deps.onBug("deleting a session", error);
    return { sessionId, reason: "INTERNAL", message: "internal error; look at the engine's log" };
  }
}
