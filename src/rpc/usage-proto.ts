import { create } from "@bufbuild/protobuf";
import { UsageSchema, type Usage as UsageProto } from "../../gen/ts/parley/v1/usage_pb.ts";
import type { Usage } from "../usage/usage.ts";

export function usageToProto(usage: Usage): UsageProto {
  return create(UsageSchema, {
    inputTokens: BigInt(usage.inputTokens),
    outputTokens: BigInt(usage.outputTokens),
    reasoningTokens: BigInt(usage.reasoningTokens),
    cachedInputTokens: BigInt(usage.cachedInputTokens),
    modelCalls: BigInt(usage.modelCalls),
  });
}
