import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ApprovalMode,
  CheckDecision,
  PermissionAnswerSchema,
  PermissionDecision,
  PermissionSchema,
  PermissionScope,
  Risk,
  RuleEffect,
  RuleSchema,
  type Permission as PermissionProto,
  type PermissionAnswer as PermissionAnswerProto,
  type Rule as RuleProto,
  type RuleDraft as RuleDraftProto,
} from "../../gen/ts/parley/v1/permission_pb.ts";
import { APPROVAL_MODES, type ApprovalMode as Mode } from "../permission/approval-mode.ts";
import type { DecisionScope, Permission, PermissionAnswer } from "../permission/permission.ts";
import type { Verdict } from "../permission/policy.ts";
import { type Effect, EFFECTS, invalidRule, type Rule, type RuleDraft, type RuleScope } from "../permission/rule.ts";
import type { RiskLevel } from "../tool/tool.ts";
import { structOf } from "./message-proto.ts";

const MODES: Readonly<Record<Mode, ApprovalMode>> = {
  confirm_all: ApprovalMode.CONFIRM_ALL,
  default: ApprovalMode.DEFAULT,
  auto_approve_edits: ApprovalMode.AUTO_APPROVE_EDITS,
  trust_all: ApprovalMode.TRUST_ALL,
  plan: ApprovalMode.PLAN,
  restricted: ApprovalMode.RESTRICTED,
};

const EFFECT_CODES: Readonly<Record<Effect, RuleEffect>> = {
  allow: RuleEffect.ALLOW,
  ask: RuleEffect.ASK,
  deny: RuleEffect.DENY,
};

const SCOPES: Readonly<Record<RuleScope, PermissionScope>> = {
  session: PermissionScope.SESSION,
  workspace: PermissionScope.WORKSPACE,
  global: PermissionScope.GLOBAL,
};

const RISKS: Readonly<Record<RiskLevel, Risk>> = {
  none: Risk.NONE,
  read: Risk.READ,
  edit: Risk.EDIT,
  safe: Risk.SAFE,
  destructive: Risk.DESTRUCTIVE,
  unknown: Risk.UNKNOWN,
};

const DECISIONS: Readonly<Record<Verdict, CheckDecision>> = {
  allow: CheckDecision.ALLOW,
  ask: CheckDecision.ASK,
  deny: CheckDecision.DENY,
};

const ANSWERS: Readonly<Record<PermissionAnswer["decision"], PermissionDecision>> = {
  approve: PermissionDecision.APPROVE,
  deny: PermissionDecision.DENY,
};

export function modeToProto(mode: Mode): ApprovalMode {
  return MODES[mode];
}

/** Undefined where it is not specified. */
export function modeFromProto(mode: ApprovalMode): Mode | undefined {
  return APPROVAL_MODES.find((name) => MODES[name] === mode);
}

export function riskToProto(level: RiskLevel): Risk {
  return RISKS[level];
}

export function verdictToProto(verdict: Verdict): CheckDecision {
  return DECISIONS[verdict];
}

/** Undefined for those that no rule has. */
export function scopeFromProto(scope: PermissionScope): RuleScope | undefined {
  return (Object.keys(SCOPES) as RuleScope[]).find((name) => SCOPES[name] === scope);
}

export function ruleToProto(rule: Rule): RuleProto {
  return create(RuleSchema, {
    ...ruleDraftToProto(rule),
    id: rule.id,
    sessionId: rule.sessionId,
    workspace: rule.workspace,
    createTime: timestampFromMs(rule.createTimeMs),
    createdBy: rule.createdBy,
    ...(rule.expireTimeMs !== undefined && { expireTime: timestampFromMs(rule.expireTimeMs) }),
  });
}

export function ruleDraftToProto({ effect, scope, tool, pattern }: RuleDraft) {
  return { effect: EFFECT_CODES[effect], scope: SCOPES[scope], tool, pattern };
}

/** Throws DomainError `INVALID_RULE`. */
export function ruleDraftFromProto({ effect, scope, tool, pattern }: RuleDraftProto): RuleDraft {
  const [knownEffect, knownScope] = [EFFECTS.find((name) => EFFECT_CODES[name] === effect), scopeFromProto(scope)];
  if (knownEffect === undefined) throw invalidRule("effect", "give allow, ask or deny");
  if (knownScope === undefined) throw invalidRule("scope", "give session, workspace or global");
  return { effect: knownEffect, scope: knownScope, tool, pattern };
}

export function permissionToProto(permission: Permission): PermissionProto {
  const { tool, callId, diff, reason } = permission;
  return create(PermissionSchema, {
    tool,
    callId,
    arguments: structOf(permission.arguments),
    diff,
    risk: RISKS[permission.risk],
    reason,
    suggestedRules: permission.suggestedRules.map(ruleDraftToProto),
  });
}

export function permissionAnswerToProto(answer: PermissionAnswer): PermissionAnswerProto {
  const { decision, scope, rule, arguments: args, reason } = answer;
  return create(PermissionAnswerSchema, {
    decision: ANSWERS[decision],
    scope: decisionScopeToProto(scope),
    ...(rule !== undefined && { rule: ruleToProto(rule) }),
    ...(args !== undefined && { arguments: structOf(args) }),
    reason,
  });
}

export function decisionScopeToProto(scope: DecisionScope): PermissionScope {
  return scope === "once" ? PermissionScope.ONCE : SCOPES[scope];
}

/** Undefined where it is not specified. */
export function decisionScopeFromProto(scope: PermissionScope): DecisionScope | undefined {
  return scope === PermissionScope.ONCE ? "once" : scopeFromProto(scope);
}

/** The proto's rules let nothing else through. */
export function decisionFromProto(decision: PermissionDecision): PermissionAnswer["decision"] {
  return decision === PermissionDecision.APPROVE ? "approve" : "deny";
}
