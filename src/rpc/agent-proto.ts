import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { AgentDefinitionSchema, AgentSource } from "../../gen/ts/parley/v1/agent_pb.ts";
import type { AgentDefinition as AgentDefinitionProto } from "../../gen/ts/parley/v1/agent_pb.ts";
import { LimitsSchema, type Limits as LimitsProto } from "../../gen/ts/parley/v1/turn_pb.ts";
import type * as domain from "../agent/agent.ts";
import type { Limits } from "../turn/turn.ts";
import { modeToProto } from "./permission-proto.ts";

const SOURCES: Readonly<Record<domain.AgentSource, AgentSource>> = {
  data_dir: AgentSource.DATA_DIR,
  workspace: AgentSource.WORKSPACE,
};

export function agentToProto(agent: domain.AgentDefinition): AgentDefinitionProto {
  const { tools = [], approvalMode, limits } = agent;
  return create(AgentDefinitionSchema, {
    name: agent.name,
    description: agent.description,
    instructions: agent.instructions,
    profile: agent.profile,
    model: agent.model,
    tools: [...tools],
    hasAllTools: agent.tools === undefined && agent.error === "",
    ...(approvalMode !== undefined && { approvalMode: modeToProto(approvalMode) }),
    agents: [...agent.agents],
    source: SOURCES[agent.source],
    path: agent.path,
    error: agent.error,
    ...(Object.keys(limits).length > 0 && { limits: saidLimitsToProto(limits) }),
  });
}

/** What is not said stays unset. */
function saidLimitsToProto(limits: Partial<Limits>): LimitsProto {
  const { maxSteps = 0, maxTokens = 0, maxWorkingTimeMs, maxSilenceMs, maxSilenceBeforeFirstMs } = limits;
  return create(LimitsSchema, {
    maxSteps,
    maxTokens: BigInt(maxTokens),
    ...(maxWorkingTimeMs !== undefined && { maxWorkingTime: durationFromMs(maxWorkingTimeMs) }),
    ...(maxSilenceMs !== undefined && { maxSilence: durationFromMs(maxSilenceMs) }),
    ...(maxSilenceBeforeFirstMs !== undefined && { maxSilenceBeforeFirst: durationFromMs(maxSilenceBeforeFirstMs) }),
  });
}
