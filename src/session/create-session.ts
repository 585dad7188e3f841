import type { Clock } from "../clock.ts";
import type { NewId } from "../id.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import { SHIPPED_MODE, type ApprovalMode } from "../permission/approval-mode.ts";
import type { RuleDraft } from "../permission/rule.ts";
import { rulesForNew } from "../permission/rules.ts";
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
  /** The mode of sessions that name none; absent = the one as shipped. */
  readonly defaultMode?: ApprovalMode;
}

/** What a session is made with; without a mode it is the engine's default. */
export type NewSettings = Omit<SessionSettings, "approvalMode"> & Partial<Pick<SessionSettings, "approvalMode">>;

export interface CreateSession {
  readonly idempotencyKey: string;
  readonly settings: NewSettings;
  /** Rules of its own that it begins with; absent = none. */
  readonly rules?: readonly RuleDraft[];
  /** The name of the caller's token. */
  readonly actor?: string;
}

/** Makes a session. Throws DomainError `PROFILE_NOT_FOUND`, `INVALID_WORKSPACE`, `WORKSPACE_NOT_ALLOWED`, `INVALID_RULE`, `IDEMPOTENCY_KEY_REUSED`. */
export async function createSession(
  deps: CreateSessionDeps,
  { idempotencyKey: key, settings, rules = [], actor = "" }: CreateSession,
): Promise<StoredSession> {
  // Sessions without rules are remembered as they were before there were any.
  const content = rules.length === 0 ? settings : { ...settings, rules };
  return deps.idempotency.once(
    { scope: "CreateSession", key, content },
    {
      find: (id) => getSession(deps.db, id),
      make: async (remember) => {
        const profile = deps.profiles.get(settings.profile).name;
        const id = deps.newId("ses");
        const workspace = await deps.workspaces.make(settings.workspace, id);
        const approvalMode = deps.defaultMode ?? SHIPPED_MODE;
        const ownRules = rulesForNew(deps, id, rules, actor);
        await deps.db.transact([
          ...insertSession(id, { approvalMode, ...settings, profile, workspace }, deps.clock.now()),
          ...ownRules,
          ...remember(id),
        ]);
        return getSession(deps.db, id);
      },
    },
  );
}
