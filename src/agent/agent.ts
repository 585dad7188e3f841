import { DomainError } from "../errors.ts";
import type { ApprovalMode } from "../permission/approval-mode.ts";
import { RUN_AGENT } from "../tool/run-agent.ts";
import type { Limits } from "../turn/turn.ts";

/** Who wrote a definition: the owner of the engine, or somebody whose workspace is trusted. */
export type AgentSource = "data_dir" | "workspace";

/** What a definition's file says. */
export interface AgentSettings {
  /** For people, and for the models that may start it. */
  readonly description: string;
  readonly instructions: string;
  /** Empty = not said. */
  readonly profile: string;
  /** Empty = not said. */
  readonly model: string;
  /** The only tools it is offered; undefined = all. */
  readonly tools: readonly string[] | undefined;
  /** Undefined = not said. */
  readonly approvalMode: ApprovalMode | undefined;
  /** The agents that it may start. */
  readonly agents: readonly string[];
  /** Only what is said. */
  readonly limits: Partial<Limits>;
}

/** A named preset of how a session is made. */
export interface AgentDefinition extends AgentSettings {
  readonly name: string;
  readonly source: AgentSource;
  /** Of its file: absolute. */
  readonly path: string;
  /** What is wrong in it, with its line; empty = it can be used. */
  readonly error: string;
}

/** What a session keeps of the definition that it was made by: a file that is changed later changes new sessions only. */
export interface SessionAgent {
  readonly name: string;
  readonly instructions: string;
  /** The only tools it is offered; absent = all. */
  readonly tools?: readonly string[];
  /** The agents that it may start. */
  readonly agents: readonly string[];
}

/** A name is a file's, so nothing in it leads elsewhere. */
export const AGENT_NAME = /^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,63}$/u;

/** What a file that says nothing of a setting has. */
export const NO_SETTINGS: AgentSettings = {
  description: "",
  instructions: "",
  profile: "",
  model: "",
  tools: undefined,
  approvalMode: undefined,
  agents: [],
  limits: {},
};

export function keptOf({ name, instructions, tools, agents }: AgentDefinition): SessionAgent {
  return { name, instructions, ...(tools !== undefined && { tools }), agents };
}

/** Whether a session may start an agent. One that no definition made may start any that there is. */
export function mayStart({ agent }: { readonly agent?: SessionAgent | undefined }, name: string): boolean {
  return agent === undefined || agent.agents.includes(name);
}

/** Those of the engine's tools that a session is offered. No other is run for it either. */
export function toolsOf<T extends { readonly name: string }>(
  tools: readonly T[],
  { agent }: { readonly agent?: SessionAgent | undefined },
): readonly T[] {
  if (agent === undefined) return tools;
  // Who may start agents needs no leave for the tool that does it, and who may start none has no use for it.
  return tools.filter(({ name }) =>
    name === RUN_AGENT ? agent.agents.length > 0 : (agent.tools?.includes(name) ?? true),
  );
}

export function agentNotFound(name: string, hint: string): DomainError {
  return new DomainError("not_found", "AGENT_NOT_FOUND", `agent: there is no agent definition ${name}; ${hint}`, {
    agent: name,
  });
}

/** `why` begins with where it is wrong. `setting`: the one of the caller's that would let it. */
export function agentUnusable(name: string, why: string, setting?: string): DomainError {
  return new DomainError("precondition", "AGENT_UNUSABLE", `agent: the definition ${name} cannot be used: ${why}`, {
    agent: name,
    ...(setting !== undefined && { setting }),
  });
}
