import type { ApprovalMode } from "../permission/approval-mode.ts";
import { isAsStrict } from "../permission/policy.ts";
import type { Profiles } from "../profile/profile.ts";
import { DEFAULT_LIMITS, type Limits } from "../turn/turn.ts";
import { agentUnusable, keptOf, type AgentDefinition, type SessionAgent } from "./agent.ts";

/** What the caller who makes a session says of it; what it leaves open the definition says, then the engine. */
export interface Wanted {
  /** Empty = not said. */
  readonly profile: string;
  /** Empty = not said. */
  readonly model: string;
  readonly limits: Partial<Limits>;
  readonly approvalMode?: ApprovalMode;
}

/** What a session has of its caller, its definition and the engine together. */
export interface Made {
  readonly profile: string;
  readonly model: string;
  readonly limits: Limits;
  readonly approvalMode: ApprovalMode;
  readonly agent?: SessionAgent;
}

/** Throws DomainError `PROFILE_NOT_FOUND`, `AGENT_UNUSABLE` where only its caller may let a session do so much unasked. */
export function settingsOf(
  profiles: Pick<Profiles, "get">,
  wanted: Wanted,
  definition: AgentDefinition | undefined,
  defaultMode: ApprovalMode,
): Made {
  const profile = profiles.get(wanted.profile || definition?.profile || "").name;
  // A model is one of its profile's: another profile does not have it.
  const hasOwnModel = wanted.profile === "" || definition?.profile === "" || definition?.profile === wanted.profile;
  return {
    profile,
    model: wanted.model || (hasOwnModel ? (definition?.model ?? "") : ""),
    limits: { ...DEFAULT_LIMITS, ...definition?.limits, ...wanted.limits },
    approvalMode: wanted.approvalMode ?? modeOf(definition, defaultMode),
    ...(definition !== undefined && { agent: keptOf(definition) }),
  };
}

function modeOf(definition: AgentDefinition | undefined, defaultMode: ApprovalMode): ApprovalMode {
  const mode = definition?.approvalMode;
  if (definition === undefined || mode === undefined) return defaultMode;
  if (isAsStrict(mode, defaultMode)) return mode;
  const why = `mode ${mode} asks less than ${defaultMode}, this engine's default; set approval_mode to let it, or to another`;
  throw agentUnusable(definition.name, why, "approval_mode");
}
