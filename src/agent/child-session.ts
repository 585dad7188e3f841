import { isAsStrict } from "../permission/policy.ts";
import type { Profiles } from "../profile/profile.ts";
import type { SessionSettings } from "../session/session.ts";
import type { StoredSession } from "../session/session-store.ts";
import { firstWords } from "../title/title.ts";
import { DEFAULT_LIMITS } from "../turn/turn.ts";
import { agentUnusable, keptOf, type AgentDefinition } from "./agent.ts";

/**
 * What the session of an agent is made with that another one starts: what its definition says, then what the other has. Its mode
 * is at most as free as the other's, which is looked at again with each decision.
 */
export function childSettings(
  profiles: Pick<Profiles, "find">,
  above: StoredSession,
  definition: AgentDefinition,
  task: string,
): SessionSettings {
  const { workspace, resumeAfterRestart, retryPartial } = above;
  const profile = definition.profile || above.profile;
  if (profiles.find(profile) === undefined) throw agentUnusable(definition.name, `there is no profile ${profile}`);
  // A model is one of its profile's.
  const model = definition.model || (profile === above.profile ? above.model : "");
  const { maxSilenceMs, maxSilenceBeforeFirstMs } = above.limits;
  const mode = definition.approvalMode ?? above.approvalMode;
  return {
    title: firstWords(task.trimStart().split("\n", 1)[0] ?? ""),
    profile,
    model,
    systemPrompt: "",
    workspace,
    labels: {},
    limits: { ...DEFAULT_LIMITS, maxSilenceMs, maxSilenceBeforeFirstMs, ...definition.limits },
    starred: false,
    resumeAfterRestart,
    retryPartial,
    approvalMode: isAsStrict(mode, above.approvalMode) ? mode : above.approvalMode,
    agent: keptOf(definition),
  };
}
