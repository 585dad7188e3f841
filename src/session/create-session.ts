import type { Clock } from "../clock.ts";
import type { NewId } from "../id.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import type { Profiles } from "../profile/profile.ts";
import type { Database } from "../store/database.ts";
import type { Workspaces } from "../workspace/workspaces.ts";
import type { SessionSettings } from "./session.ts";
import { getSession, insertSession, type StoredSession } from "./session-store.ts";

export interface SessionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly profiles: Profiles;
  readonly idempotency: Idempotency;
}

export interface CreateSessionDeps extends SessionDeps {
  readonly workspaces: Workspaces;
}

/** Makes a session. Throws DomainError `PROFILE_NOT_FOUND`, `INVALID_WORKSPACE`, `WORKSPACE_NOT_ALLOWED`, `IDEMPOTENCY_KEY_REUSED`. */
export async function createSession(
  deps: CreateSessionDeps,
  request: { readonly idempotencyKey: string; readonly settings: SessionSettings },
): Promise<StoredSession> {
  const { settings } = request;
  return deps.idempotency.once(
    { scope: "CreateSession", key: request.idempotencyKey, content: settings },
    {
      find: (id) => getSession(deps.db, id),
      make: async (remember) => {
        const profile = deps.profiles.get(settings.profile).name;
        const id = deps.newId("ses");
        const workspace = await deps.workspaces.make(settings.workspace, id);
        await deps.db.transact([
          ...insertSession(id, { ...settings, profile, workspace }, deps.clock.now()),
          ...remember(id),
        ]);
        return getSession(deps.db, id);
      },
    },
  );
}
