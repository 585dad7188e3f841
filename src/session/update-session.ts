import type { EventLog } from "../event/event-log.ts";
import type { EventPayload } from "../event/event.ts";
import { modelInForce } from "../profile/profile.ts";
import { ClaimLost } from "../store/database.ts";
import type { SessionDeps } from "./create-session.ts";
import type { SessionSettings } from "./session.ts";
import { getSession, updateSettings, type StoredSession } from "./session-store.ts";

export interface UpdateSession {
  readonly sessionId: string;
  readonly changes: Partial<SessionSettings>;
  /** The name of the caller's token. */
  readonly actor: string;
}

/** Changes what is named and leaves the rest. Throws DomainError `SESSION_NOT_FOUND`, `PROFILE_NOT_FOUND`. */
export async function updateSession(
  deps: SessionDeps & { readonly log: EventLog },
  request: UpdateSession,
): Promise<StoredSession> {
  for (;;) {
    try {
      return await updateOnce(deps, request);
    } catch (error) {
      // Somebody else changed it between our look and our write: look again.
      if (!(error instanceof ClaimLost && error.claim === "settings")) throw error;
    }
  }
}

async function updateOnce(
  deps: SessionDeps & { readonly log: EventLog },
  { sessionId, changes, actor }: UpdateSession,
): Promise<StoredSession> {
  const before = await getSession(deps.db, sessionId);
  const after = { ...before, ...changes };
  const settings = { ...after, profile: deps.profiles.get(after.profile).name };
  const events: EventPayload[] = [];
  const was = modelInForce(deps.profiles, before);
  const is = modelInForce(deps.profiles, settings);
  if (was.profile.name !== is.profile.name || was.model !== is.model) {
    events.push({ kind: "model_changed", profile: is.profile.name, model: is.model });
  }
  const updateTimeMs = Math.max(deps.clock.now(), before.updateTimeMs + 1);
  await deps.log.append(sessionId, {
    actor,
    events: (firstSeq) => [
      ...events,
      {
        kind: "session_changed",
        session: { ...settings, model: is.model, updateTimeMs, lastSeq: firstSeq + events.length },
      },
    ],
    changes: () => [updateSettings(before, settings, updateTimeMs)],
  });
  return getSession(deps.db, sessionId);
}
