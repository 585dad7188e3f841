import { type AuditAction, auditEntry } from "../audit/audit-entry.ts";
import type { Clock } from "../clock.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import type { NewId } from "../id.ts";
import { getSession } from "../session/session-store.ts";
import { ClaimLost, type Database, type Statement } from "../store/database.ts";
import { canonicalWorkspace } from "../workspace/workspace.ts";
import { checkRule } from "./rule-match.ts";
import { deleteRule, deleteRulesAt, getRule, insertRule, type RulePlace } from "./rule-store.ts";
import { invalidRule, type Rule, type RuleDraft, ruleNotFound, type RuleScope, tooManyRules } from "./rule.ts";

export interface RuleDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly idempotency: Idempotency;
}

export interface CreateRule extends RulePlace {
  readonly idempotencyKey: string;
  readonly draft: RuleDraft;
  /** Undefined = until it is taken back. */
  readonly lifetimeMs: number | undefined;
  /** The name of the caller's token. */
  readonly actor: string;
}

/** Throws DomainError `SESSION_NOT_FOUND`, `INVALID_RULE`, `INVALID_WORKSPACE`, `TOO_MANY_RULES`, `IDEMPOTENCY_KEY_REUSED`. */
export async function createRule(deps: RuleDeps, request: CreateRule): Promise<Rule> {
  const { idempotencyKey: key, draft, lifetimeMs = null, sessionId, workspace, actor } = request;
  checkRule(draft);
  return deps.idempotency.once(
    { scope: "CreateRule", key, content: { draft, lifetimeMs, sessionId, workspace } },
    {
      find: (id) => getRule(deps.db, id),
      make: async (remember) => {
        const place = await placeOf(deps.db, request);
        const nowMs = deps.clock.now();
        const made = makeRule(deps, draft, place, actor);
        const rule = { ...made, expireTimeMs: lifetimeMs === null ? undefined : nowMs + lifetimeMs };
        await store(deps.db, [...addRule(rule), ...remember(rule.id)], draft.scope);
        return getRule(deps.db, rule.id);
      },
    },
  );
}

/** Takes a rule back. Throws DomainError `RULE_NOT_FOUND`. */
export async function removeRule(
  { db, clock }: Pick<RuleDeps, "db" | "clock">,
  id: string,
  actor: string,
): Promise<void> {
  const rule = await getRule(db, id);
  try {
    await db.transact([deleteRule(id), auditOfRule("RULE_REMOVED", rule, actor, clock.now())]);
  } catch (error) {
    throw error instanceof ClaimLost && error.claim === "rule" ? ruleNotFound(id) : error;
  }
}

/** Puts these in the place of all of one place, in one step. Throws DomainError `SESSION_NOT_FOUND`, `INVALID_RULE`, `INVALID_WORKSPACE`. */
export async function replaceRules(
  deps: RuleDeps,
  named: RulePlace,
  drafts: readonly RuleDraft[],
  actor: string,
): Promise<readonly Rule[]> {
  for (const draft of drafts) checkDraftAt(draft, named.scope);
  const place = await placeOf(deps.db, named);
  const rules = drafts.map((draft) => makeRule(deps, draft, place, actor));
  const { sessionId, workspace: target, scope } = place;
  const detail = { scope, count: rules.length };
  const entry = auditEntry({ action: "RULES_REPLACED", timeMs: deps.clock.now(), actor, sessionId, target, detail });
  await store(deps.db, [deleteRulesAt(place), entry, ...rules.flatMap(addRule)], named.scope);
  return rules;
}

/** The rules that a new session begins with. Throws DomainError `INVALID_RULE`. */
export function rulesForNew(
  deps: Pick<RuleDeps, "newId" | "clock">,
  id: string,
  drafts: readonly RuleDraft[],
  actor: string,
): readonly Statement[] {
  return drafts.flatMap((draft) => {
    checkDraftAt(draft, "session");
    return addRule(makeRule(deps, draft, { scope: "session", sessionId: id, workspace: "" }, actor));
  });
}

/** The statements that make a rule, and write down that it was made. `insertRule` says which claim is lost where. */
export function addRule(rule: Rule): readonly Statement[] {
  return [insertRule(rule), auditOfRule("RULE_CREATED", rule, rule.createdBy, rule.createTimeMs)];
}

function auditOfRule(action: AuditAction, rule: Rule, actor: string, timeMs: number): Statement {
  const { id, sessionId, effect, scope, workspace, tool, pattern, expireTimeMs } = rule;
  const detail = { effect, scope, workspace, tool, pattern, expire_time_ms: expireTimeMs ?? null };
  return auditEntry({ action, timeMs, actor, sessionId, target: id, detail });
}

/** The statements by which a new session has another's own rules too: those that have not ended. */
export function copyRules(deps: Pick<RuleDeps, "newId" | "clock">, rules: readonly Rule[], id: string): Statement[] {
  return rules
    .filter(({ scope }) => scope === "session")
    .toReversed()
    .flatMap((rule) => {
      const copy = { ...rule, id: deps.newId("rule"), sessionId: id };
      return [insertRule(copy), auditOfRule("RULE_CREATED", copy, rule.createdBy, deps.clock.now())];
    });
}

function checkDraftAt(draft: RuleDraft, scope: RuleScope): void {
  if (draft.scope !== scope) throw invalidRule("scope", `give rules of scope ${scope} here`);
  checkRule(draft);
}

export function makeRule(
  { newId, clock }: Pick<RuleDeps, "newId" | "clock">,
  draft: RuleDraft,
  place: RulePlace,
  actor: string,
): Rule {
  return {
    ...draft,
    id: newId("rule"),
    sessionId: place.sessionId,
    workspace: place.workspace,
    createdBy: actor,
    createTimeMs: clock.now(),
    expireTimeMs: undefined,
  };
}

async function placeOf(db: Database, { scope, sessionId, workspace }: RulePlace): Promise<RulePlace> {
  if (scope !== "session" && sessionId !== "") throw invalidRule("session_id", `leave it empty for scope ${scope}`);
  if (scope !== "workspace" && workspace !== "") throw invalidRule("workspace", `leave it empty for scope ${scope}`);
  switch (scope) {
    case "global":
      return { scope, sessionId, workspace };
    case "workspace":
      if (workspace === "") throw invalidRule("workspace", "name the folder that the rules are for");
      return { scope, sessionId, workspace: await canonicalWorkspace(workspace) };
    case "session":
      if (sessionId === "") throw invalidRule("session_id", "name the session that the rules are for");
      await getSession(db, sessionId);
      return { scope, sessionId, workspace };
  }
}

async function store(db: Database, statements: readonly Statement[], scope: RuleScope): Promise<void> {
  try {
    await db.transact(statements);
  } catch (error) {
    throw error instanceof ClaimLost && error.claim === "room" ? tooManyRules(scope) : error;
  }
}
