import { auditEntry } from "../audit/audit-entry.ts";
import type { EventLog } from "../event/event-log.ts";
import type { EventPayload } from "../event/event.ts";
import { modelNameInForce } from "../profile/profile.ts";
import { ClaimLost, type Statement } from "../store/database.ts";
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
  // A profile that is gone must not keep its sessions from being renamed, or moved to another.
  const profile = changes.profile === undefined ? before.profile : deps.profiles.get(changes.profile).name;
  const settings = { ...before, ...changes, profile };
  const events: EventPayload[] = [];
  const model = modelNameInForce(deps.profiles, settings);
  if (before.profile !== profile || modelNameInForce(deps.profiles, before) !== model) {
    events.push({ kind: "model_changed", profile, model });
  }
  const updateTimeMs = Math.max(deps.clock.now(), before.updateTimeMs + 1);
  await deps.log.append(sessionId, {
    actor,
    events: (firstSeq) => [
      ...events,
      {
        kind: "session_changed",
        session: { ...settings, model, updateTimeMs, lastSeq: firstSeq + events.length },
      },
    ],
    changes: (_firstSeq, timeMs) => [
      ...updateSettings(before, settings, updateTimeMs),
      ...auditOfMode(before, settings, actor, timeMs),
    ],
  });
  return getSession(deps.db, sessionId);
}

function auditOfMode(
  { id: sessionId, approvalMode: from }: StoredSession,
  { approvalMode: to }: SessionSettings,
  actor: string,
  timeMs: number,
): readonly Statement[] {
  if (from === to) return [];
  return [auditEntry({ action: "APPROVAL_MODE_SET", timeMs, actor, sessionId, detail: { from, to } })];
}
