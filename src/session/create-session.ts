import type { Agents } from "../agent/definitions.ts";
import { agentNotFound } from "../agent/agent.ts";
import { settingsOf } from "../agent/agent-session.ts";
import { auditEntry } from "../audit/audit-entry.ts";
import type { Clock } from "../clock.ts";
import type { NewId } from "../id.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import { SHIPPED_MODE, type ApprovalMode } from "../permission/approval-mode.ts";
import type { RuleDraft } from "../permission/rule.ts";
import { rulesForNew } from "../permission/rules.ts";
import type { Profiles } from "../profile/profile.ts";
import type { Database, Statement } from "../store/database.ts";
import { DEFAULT_LIMITS, type Limits } from "../turn/turn.ts";
import { canonicalWorkspace } from "../workspace/workspace.ts";
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
  /** Absent = there are no agent definitions. */
  readonly agents?: Pick<Agents, "get">;
  /** The mode of sessions that name none; absent = the one as shipped. */
  readonly defaultMode?: ApprovalMode;
}

/** What a session is made with; without a mode it is the engine's default. */
export type NewSettings = Omit<SessionSettings, "approvalMode"> & Partial<Pick<SessionSettings, "approvalMode">>;

export interface CreateSession {
  readonly idempotencyKey: string;
  /** Limits that it does not say are its definition's, or the defaults. */
  readonly settings: Omit<NewSettings, "limits"> & { readonly limits: Partial<Limits> };
  /** The name of the definition it is made by; empty or absent = none. */
  readonly agentName?: string;
  /** Rules of its own that it begins with; absent = none. */
  readonly rules?: readonly RuleDraft[];
  /** The name of the caller's token. */
  readonly actor?: string;
}

/** Makes a session. Throws DomainError `PROFILE_NOT_FOUND`, `AGENT_NOT_FOUND`, `AGENT_UNUSABLE`, `INVALID_WORKSPACE`, `WORKSPACE_NOT_ALLOWED`, `INVALID_RULE`, `IDEMPOTENCY_KEY_REUSED`. */
export async function createSession(
  deps: CreateSessionDeps,
  { idempotencyKey: key, settings, agentName = "", rules = [], actor = "" }: CreateSession,
): Promise<StoredSession> {
  // What is not said is remembered as it was before it could be.
  const said = agentName === "" ? { ...settings, limits: { ...DEFAULT_LIMITS, ...settings.limits } } : settings;
  const content = { ...said, ...(agentName !== "" && { agentName }), ...(rules.length > 0 && { rules }) };
  return deps.idempotency.once(
    { scope: "CreateSession", key, content },
    {
      find: (id) => getSession(deps.db, id),
      make: async (remember) => {
        const id = deps.newId("ses");
        const definition = await findDefinition(deps, agentName, settings.workspace);
        const made = settingsOf(deps.profiles, settings, definition, deps.defaultMode ?? SHIPPED_MODE);
        const workspace = await deps.workspaces.make(settings.workspace, id);
        const ownRules = rulesForNew(deps, id, rules, actor);
        await deps.db.transact([
          ...insertSession(id, { ...settings, ...made, workspace }, deps.clock.now()),
          ...ownRules,
          ...auditOfMode(deps, id, made.approvalMode, actor),
          ...remember(id),
        ]);
        return getSession(deps.db, id);
      },
    },
  );
}

/** A session that begins as all do is nothing to write down. */
function auditOfMode(
  deps: CreateSessionDeps,
  sessionId: string,
  to: ApprovalMode,
  actor: string,
): readonly Statement[] {
  const from = deps.defaultMode ?? SHIPPED_MODE;
  if (to === from) return [];
  const [action, timeMs] = ["APPROVAL_MODE_SET" as const, deps.clock.now()];
  return [auditEntry({ action, timeMs, actor, sessionId, detail: { from, to } })];
}

async function findDefinition({ agents }: CreateSessionDeps, name: string, workspace: string) {
  if (name === "") return undefined;
  if (agents === undefined) throw agentNotFound(name, "this engine has none");
  return agents.get(name, workspace === "" ? "" : await canonicalWorkspace(workspace));
}
