import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  LimitsSchema,
  TurnEndReason,
  TurnErrorSchema,
  TurnSchema,
  TurnState,
  type Limits as LimitsProto,
  type Turn as TurnProto,
  type TurnError as TurnErrorProto,
} from "../../gen/ts/parley/v1/turn_pb.ts";
import { DEFAULT_LIMITS, type Limits, type Turn, type TurnError } from "../turn/turn.ts";
import type * as domain from "../turn/turn.ts";
import { usageToProto } from "./usage-proto.ts";

const STATES: Readonly<Record<domain.TurnState, TurnState>> = {
  running: TurnState.RUNNING,
  waiting: TurnState.WAITING,
  cancelling: TurnState.CANCELLING,
  ended: TurnState.ENDED,
};

const END_REASONS: Readonly<Record<domain.TurnEndReason, TurnEndReason>> = {
  completed: TurnEndReason.COMPLETED,
  cancelled: TurnEndReason.CANCELLED,
  failed: TurnEndReason.FAILED,
  limit_reached: TurnEndReason.LIMIT_REACHED,
  interrupted: TurnEndReason.INTERRUPTED,
};

export function endReasonToProto(reason: domain.TurnEndReason): TurnEndReason {
  return END_REASONS[reason];
}

export function turnErrorToProto({ reason, message, retryable }: TurnError): TurnErrorProto {
  return create(TurnErrorSchema, { reason, message, retryable });
}

export function turnToProto(turn: Turn): TurnProto {
  return create(TurnSchema, {
    id: turn.id,
    sessionId: turn.sessionId,
    state: STATES[turn.state],
    endReason: turn.endReason === undefined ? TurnEndReason.UNSPECIFIED : END_REASONS[turn.endReason],
    ...(turn.error !== undefined && { error: turnErrorToProto(turn.error) }),
    model: turn.model,
    steps: turn.steps,
    usage: usageToProto(turn.usage),
    firstSeq: BigInt(turn.firstSeq),
    createTime: timestampFromMs(turn.createTimeMs),
    ...(turn.endTimeMs !== undefined && { endTime: timestampFromMs(turn.endTimeMs) }),
  });
}

export function limitsToProto(limits: Limits): LimitsProto {
  return create(LimitsSchema, {
    maxSteps: limits.maxSteps,
    maxTokens: BigInt(limits.maxTokens),
    maxWorkingTime: durationFromMs(limits.maxWorkingTimeMs),
    maxSilence: durationFromMs(limits.maxSilenceMs),
    maxSilenceBeforeFirst: durationFromMs(limits.maxSilenceBeforeFirstMs),
  });
}

/** Fields that are absent or 0 have their default. */
export function limitsFromProto(limits: LimitsProto | undefined): Limits {
  return { ...DEFAULT_LIMITS, ...saidLimitsFromProto(limits) };
}

/** Only the fields that are neither absent nor 0. */
export function saidLimitsFromProto(limits: LimitsProto | undefined): Partial<Limits> {
  if (limits === undefined) return {};
  const { maxSteps, maxTokens, maxWorkingTime, maxSilence, maxSilenceBeforeFirst } = limits;
  return {
    ...(maxSteps !== 0 && { maxSteps }),
    ...(maxTokens !== 0n && { maxTokens: Number(maxTokens) }),
    ...(maxWorkingTime !== undefined && { maxWorkingTimeMs: durationMs(maxWorkingTime) }),
    ...(maxSilence !== undefined && { maxSilenceMs: durationMs(maxSilence) }),
    ...(maxSilenceBeforeFirst !== undefined && { maxSilenceBeforeFirstMs: durationMs(maxSilenceBeforeFirst) }),
  };
}
