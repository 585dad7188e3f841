import type { Clock } from "../clock.ts";
import type { EventLog } from "../event/event-log.ts";
import type { EventPayload } from "../event/event.ts";
import { modelNameInForce, type Profiles } from "../profile/profile.ts";
import { addSessionUsage, findSession, updateSettings } from "../session/session-store.ts";
import type { Session } from "../session/session.ts";
import { ClaimLost, type Database } from "../store/database.ts";
import { addUsage, NO_USAGE, type Usage } from "../usage/usage.ts";

export interface GiveTitleDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly profiles: Profiles;
}

/**
 * Gives a session a title, where it still has none when that is stored, and counts what the title cost either way.
 * Rejects with DomainError `SESSION_NOT_FOUND`, `SESSION_DELETED`, `STORAGE_FULL`.
 */
export async function giveTitle(
  deps: GiveTitleDeps,
  sessionId: string,
  title: string,
  usage: Usage | undefined,
): Promise<void> {
  for (;;) {
    try {
      return await giveOnce(deps, sessionId, title, usage);
    } catch (error) {
      // Somebody changed the session between our look and our write, maybe its title: look again.
      if (!(error instanceof ClaimLost && error.claim === "settings")) throw error;
    }
  }
}

async function giveOnce(
  { db, log, clock, profiles }: GiveTitleDeps,
  sessionId: string,
  title: string,
  usage: Usage | undefined,
): Promise<void> {
  const before = await findSession(db, sessionId);
  if (before === undefined) return;
  const isGiven = before.title === "";
  const settings = { ...before, title };
  const updateTimeMs = Math.max(clock.now(), before.updateTimeMs + 1);
  const changed = {
    ...settings,
    model: modelNameInForce(profiles, before),
    usage: addUsage(before.usage, usage ?? NO_USAGE),
    updateTimeMs,
  };
  const events = (firstSeq: number): EventPayload[] => [
    ...(usage === undefined ? [] : [usageReported(usage)]),
    ...(isGiven ? [sessionChanged({ ...changed, lastSeq: usage === undefined ? firstSeq : firstSeq + 1 })] : []),
  ];
  if (events(0).length === 0) return;
  await log.append(sessionId, {
    events,
    changes: () => [
      ...(isGiven ? updateSettings(before, settings, updateTimeMs) : []),
      ...(usage === undefined ? [] : addSessionUsage(sessionId, usage)),
    ],
  });
}

/** No message came of it, and no turn has used it. */
function usageReported(usage: Usage): EventPayload {
  return { kind: "usage_reported", messageId: "", usage, turnUsage: NO_USAGE };
}

function sessionChanged(session: Session): EventPayload {
  return { kind: "session_changed", session };
}
