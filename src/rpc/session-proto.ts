import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { SessionSchema, SessionState, type Session as SessionProto } from "../../gen/ts/parley/v1/session_pb.ts";
import type { CreateSessionRequest, UpdateSessionRequest } from "../../gen/ts/parley/v1/session_service_pb.ts";
import type { ApprovalMode } from "../permission/approval-mode.ts";
import { modelNameInForce, type Profiles } from "../profile/profile.ts";
import type * as domain from "../session/session.ts";
import type { CreateSession } from "../session/create-session.ts";
import type { Session, SessionSettings } from "../session/session.ts";
import type { WaitingOn } from "../session/waiting-on.ts";
import { modeFromProto, modeToProto } from "./permission-proto.ts";
import { limitsFromProto, limitsToProto, saidLimitsFromProto } from "./turn-proto.ts";
import { usageToProto } from "./usage-proto.ts";

const STATES: Readonly<Record<domain.SessionState, SessionState>> = {
  idle: SessionState.IDLE,
  running: SessionState.RUNNING,
  waiting: SessionState.WAITING,
};

function waitingOnToProto({ requestIds, sinceMs, deadlineMs }: WaitingOn) {
  return {
    requestIds: [...requestIds],
    since: timestampFromMs(sinceMs),
    ...(deadlineMs !== null && { deadline: timestampFromMs(deadlineMs) }),
  };
}

export function sessionStateToProto(state: domain.SessionState): SessionState {
  return STATES[state];
}

/** The same the other way round, for several; in an order of their own. */
export function sessionStatesFromProto(states: readonly SessionState[]): domain.SessionState[] {
  return (Object.keys(STATES) as domain.SessionState[]).filter((state) => states.includes(STATES[state]));
}

/** `profiles` fills in the model in force; leave it out where the session names it already. */
export function sessionToProto(session: Session, profiles?: Profiles): SessionProto {
  const model = profiles === undefined ? session.model : modelNameInForce(profiles, session);
  return create(SessionSchema, {
    id: session.id,
    title: session.title,
    state: STATES[session.state],
    profile: session.profile,
    model,
    systemPrompt: session.systemPrompt,
    workspace: session.workspace,
    agent: session.agent?.name ?? "",
    parentSessionId: session.parent?.sessionId ?? "",
    forkedFrom: session.forkedFrom,
    limits: limitsToProto(session.limits),
    labels: { ...session.labels },
    starred: session.starred,
    lastSeq: BigInt(session.lastSeq),
    usage: usageToProto(session.usage),
    createTime: timestampFromMs(session.createTimeMs),
    updateTime: timestampFromMs(session.updateTimeMs),
    runningTurnId: session.runningTurnId,
    resumeAfterRestart: session.resumeAfterRestart,
    retryPartial: session.retryPartial,
    approvalMode: modeToProto(session.approvalMode),
    ...(session.waitingOn !== undefined && { waitingOn: waitingOnToProto(session.waitingOn) }),
  });
}

export function settingsFromProto(request: CreateSessionRequest): CreateSession["settings"] {
  const approvalMode = modeFromProto(request.approvalMode);
  return {
    title: request.title,
    profile: request.profile,
    model: request.model,
    systemPrompt: request.systemPrompt,
    workspace: request.workspace,
    labels: request.labels,
    limits: saidLimitsFromProto(request.limits),
    starred: false,
    resumeAfterRestart: request.resumeAfterRestart,
    retryPartial: request.retryPartial,
    ...(approvalMode !== undefined && { approvalMode }),
  };
}

/** Only what the request sets; a mode that is not specified is the engine's default. */
export function changesFromProto(request: UpdateSessionRequest, defaultMode: ApprovalMode): Partial<SessionSettings> {
  return {
    ...(request.title !== undefined && { title: request.title }),
    ...(request.profile !== undefined && { profile: request.profile }),
    ...(request.model !== undefined && { model: request.model }),
    ...(request.systemPrompt !== undefined && { systemPrompt: request.systemPrompt }),
    ...(request.labels !== undefined && { labels: request.labels.values }),
    ...(request.limits !== undefined && { limits: limitsFromProto(request.limits) }),
    ...(request.starred !== undefined && { starred: request.starred }),
    ...(request.resumeAfterRestart !== undefined && { resumeAfterRestart: request.resumeAfterRestart }),
    ...(request.retryPartial !== undefined && { retryPartial: request.retryPartial }),
    ...(request.approvalMode !== undefined && { approvalMode: modeFromProto(request.approvalMode) ?? defaultMode }),
  };
}
