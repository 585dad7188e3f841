import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { PermissionScope } from "../../gen/ts/parley/v1/permission_pb.ts";
import type { CheckPermissionRequest, PermissionService } from "../../gen/ts/parley/v1/permission_service_pb.ts";
import type { Hooks } from "../hook/hooks.ts";
import { invalidField } from "../errors.ts";
import type { ApprovalMode } from "../permission/approval-mode.ts";
import { decide, type DecisionDeps } from "../permission/decision.ts";
import { getDecidedCall } from "../permission/past-call.ts";
import { resolvePermission, type ResolveDeps } from "../permission/resolve-permission.ts";
import { listRulesBefore, listRulesOf, type StoredRule } from "../permission/rule-store.ts";
import { invalidRule } from "../permission/rule.ts";
import { createRule, removeRule, replaceRules, type RuleDeps } from "../permission/rules.ts";
import { getSession } from "../session/session-store.ts";
import { updateSession } from "../session/update-session.ts";
import { actorOf } from "./actor.ts";
import { readPage } from "./page.ts";
import {
  decisionFromProto,
  decisionScopeFromProto,
  decisionScopeToProto,
  modeFromProto,
  modeToProto,
  riskToProto,
  ruleDraftFromProto,
  ruleDraftToProto,
  ruleToProto,
  scopeFromProto,
  verdictToProto,
} from "./permission-proto.ts";
import { requestToProto } from "./request-proto.ts";
import { sessionToProto } from "./session-proto.ts";

type PermissionServiceDeps = RuleDeps &
  DecisionDeps &
  ResolveDeps &
  Parameters<typeof updateSession>[0] & {
    /** That of sessions for which nobody says one. */
    readonly defaultMode: ApprovalMode;
    readonly hooks: Pick<Hooks, "list">;
  };

export function createPermissionService(deps: PermissionServiceDeps): ServiceImpl<typeof PermissionService> {
  const { db, clock, profiles, protectedPaths, defaultMode } = deps;
  return {
    getPolicy: async ({ sessionId }) => {
      const session = await getSession(db, sessionId);
      const rules = await listRulesOf(db, session, clock.now());
      return {
        mode: modeToProto(session.approvalMode),
        rules: rules.map(ruleToProto),
        protectedPaths: [...protectedPaths.globs],
      };
    },

    setApprovalMode: async ({ sessionId, mode }, context) => {
      const changes = { approvalMode: modeFromProto(mode) ?? defaultMode };
      const session = await updateSession(deps, { sessionId, changes, actor: actorOf(context) });
      return { session: sessionToProto(session, profiles) };
    },

    resolvePermission: async (request, context) => {
      const { requestId, idempotencyKey, reason, rule, arguments: args } = request;
      const resolved = await resolvePermission(deps, {
        requestId,
        idempotencyKey,
        decision: decisionFromProto(request.decision),
        scope: decisionScopeFromProto(request.scope),
        rule: rule && ruleDraftFromProto(rule),
        arguments: args,
        reason,
        actor: actorOf(context),
      });
      const { answer } = resolved;
      if (answer?.kind !== "permission") return { request: requestToProto(resolved) };
      return {
        request: requestToProto(resolved),
        appliedScope: decisionScopeToProto(answer.scope),
        ...(answer.rule !== undefined && { rule: ruleToProto(answer.rule) }),
      };
    },

    createRule: async ({ idempotencyKey, rule, sessionId, workspace, lifetime }, context) => {
      if (rule === undefined) throw invalidRule("rule", "is missing");
      const draft = ruleDraftFromProto(rule);
      const lifetimeMs = lifetime === undefined ? undefined : Math.max(1, Math.round(durationMs(lifetime)));
      const place = { scope: draft.scope, sessionId, workspace };
      const made = await createRule(deps, { ...place, idempotencyKey, draft, lifetimeMs, actor: actorOf(context) });
      return { rule: ruleToProto(made) };
    },

    listRules: async (request) => {
      const { sessionId, scope } = request;
      const reaching = sessionId === "" ? undefined : await getSession(db, sessionId);
      const filter = { reaching, scope: scopeFromProto(scope), nowMs: clock.now() };
      const list = {
        scope: { method: "ListRules", args: [sessionId, String(scope)] },
        defaultSize: 50,
        maxSize: 200,
        read: async (before: number | undefined, limit: number) =>
          scope === PermissionScope.ONCE ? [] : listRulesBefore(db, filter, before, limit),
        placeOf: ({ key }: StoredRule) => key,
      };
      const { items, nextPageToken } = await readPage(list, request);
      return { rules: items.map(ruleToProto), nextPageToken };
    },

    deleteRule: async ({ ruleId }, context) => {
      await removeRule(deps, ruleId, actorOf(context));
      return {};
    },

    replaceRules: async (request, context) => {
      const { sessionId, workspace } = request;
      const scope = scopeFromProto(request.scope);
      if (scope === undefined) throw invalidRule("scope", "give session, workspace or global");
      const drafts = request.rules.map(ruleDraftFromProto);
      const rules = await replaceRules(deps, { scope, sessionId, workspace }, drafts, actorOf(context));
      return { rules: rules.map(ruleToProto) };
    },

    checkPermission: async (request) => {
      const { sessionId, tool, arguments: args } = request;
      checkEither(request);
      const session = await getSession(db, sessionId);
      if (request.callId !== "") return pastDecision(await getDecidedCall(db, session, request.callId));
      const { verdict, risk, reason, rule, suggestedRules } = await decide(deps, session, tool, args ?? {});
      const { workspace } = session;
      // What is denied is not theirs to decide.
      const hooks = verdict === "deny" ? [] : await deps.hooks.list("before", { tool, workspace });
      return {
        decision: verdictToProto(verdict),
        risk: riskToProto(risk.level),
        reason,
        ...(rule !== undefined && { rule: ruleToProto(rule) }),
        suggestedRules: suggestedRules.map(ruleDraftToProto),
        hooks: hooks.map(({ name }) => name),
      };
    },
  };
}

/** Throws DomainError `INVALID_FIELD`. */
function checkEither({ tool, callId, arguments: args }: CheckPermissionRequest): void {
  if (tool === "" && callId === "")
    throw invalidField("tool", "is empty; name a tool, or a call_id for a call that was made");
  if (callId !== "" && (tool !== "" || args !== undefined)) {
    throw invalidField("call_id", "names a call that was made; leave out tool and arguments");
  }
}

/** What was decided on a call that was made. */
function pastDecision({ decision, requestId }: Awaited<ReturnType<typeof getDecidedCall>>) {
  const { verdict, risk, reason, rule, decidedBy, decideTimeMs } = decision;
  return {
    decision: verdictToProto(verdict),
    risk: riskToProto(risk.level),
    reason,
    ...(rule !== undefined && { rule: ruleToProto(rule) }),
    requestId,
    decidedBy,
    ...(decideTimeMs !== undefined && { decideTime: timestampFromMs(decideTimeMs) }),
  };
}
