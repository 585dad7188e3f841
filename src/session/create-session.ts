import type { Clock } from "../clock.ts";
import type { NewId } from "../id.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import type { Profiles } from "../profile/profile.ts";
import type { Database } from "../store/database.ts";
import { resolveWorkspace } from "../workspace/workspace.ts";
import type { SessionSettings } from "./session.ts";
import { getSession, insertSession, type StoredSession } from "./session-store.ts";

export interface SessionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly profiles: Profiles;
  readonly idempotency: Idempotency;
}

/** Makes a session. Throws DomainError `PROFILE_NOT_FOUND`, `INVALID_WORKSPACE`, `IDEMPOTENCY_KEY_REUSED`. */
export async function createSession(
  deps: SessionDeps,
  request: { readonly idempotencyKey: string; readonly settings: SessionSettings },
): Promise<StoredSession> {
  const { settings } = request;
  return deps.idempotency.once(
    { scope: "CreateSession", key: request.idempotencyKey, content: settings },
    {
      find: (id) => getSession(deps.db, id),
      make: async (remember) => {
        const profile = deps.profiles.get(settings.profile).name;
        const workspace = settings.workspace === "" ? "" : await resolveWorkspace(settings.workspace);
        const id = deps.newId("ses");
        await deps.db.transact([
          ...insertSession(id, { ...settings, profile, workspace }, deps.clock.now()),
          ...remember(id),
        ]);
        return getSession(deps.db, id);
      },
    },
  );
}
