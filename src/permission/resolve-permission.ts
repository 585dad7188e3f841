import { DomainError } from "../errors.ts";
import { NO_FACTS, type Facts } from "../event/facts.ts";
import type { Hooks } from "../hook/hooks.ts";
import { isToolArguments } from "../message/tool-arguments.ts";
import { type JsonObject, MAX_MESSAGE_BYTES } from "../message/message.ts";
import { endOnce, type Wish } from "../request/end-request.ts";
import type { RequestDeps } from "../request/request-deps.ts";
import { getRequest, type StoredRequest } from "../request/request-store.ts";
import type { Request } from "../request/request.ts";
import { getSession, type StoredSession } from "../session/session-store.ts";
import { ClaimLost, type Statement } from "../store/database.ts";
import { auditOfDecision } from "../turn/call/call-audit.ts";
import { callDenied } from "../turn/request-end.ts";
import { setCallApproved } from "../turn/call/tool-call-store.ts";
import { hashOfCall } from "./call-hash.ts";
import type { CallDecision } from "./call-decision.ts";
import { decide, type DecisionDeps } from "./decision.ts";
import { findObjection } from "./objection.ts";
import type { Permission, PermissionAnswer, DecisionScope } from "./permission.ts";
import { ruleOfAnswer } from "./rule-of-answer.ts";
import { addRule } from "./rules.ts";
import { tooManyRules, type RuleDraft } from "./rule.ts";

export type ResolveDeps = RequestDeps & DecisionDeps & { readonly hooks: Pick<Hooks, "ask"> };

export interface ResolvePermission {
  readonly requestId: string;
  readonly idempotencyKey: string;
  readonly decision: "approve" | "deny";
  /** Undefined: that of the rule, or once. */
  readonly scope: DecisionScope | undefined;
  /** Undefined: the first that the request suggests, where the scope needs one. */
  readonly rule: RuleDraft | undefined;
  /** What is to run in the place of what was asked. */
  readonly arguments: JsonObject | undefined;
  readonly reason: string;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Says whether a call may run, which is then done at once. Of many who say it, the first counts, and the same key gets its
 * outcome again; a refused answer uses nothing up. Throws DomainError `REQUEST_NOT_FOUND`, `NOT_A_PERMISSION`, `ALREADY_RESOLVED`,
 * `CALL_NOT_ALLOWED`, `CALL_CHANGED`, `INVALID_RULE`, `INVALID_TOOL_ARGUMENTS`, `INVALID_FIELD`, `TOO_MANY_RULES`,
 * `IDEMPOTENCY_KEY_REUSED`.
 */
export async function resolvePermission(deps: ResolveDeps, resolve: ResolvePermission): Promise<Request> {
  const { requestId, idempotencyKey: key, decision, scope = null, rule = null, reason } = resolve;
  checkArguments(resolve);
  const content = { decision, scope, rule, arguments: resolve.arguments ?? null, reason };
  return deps.idempotency.once(
    { scope: `ResolvePermission ${requestId}`, key, content },
    {
      find: (id) => getRequest(deps.db, id),
      make: async (remember) => {
        await deps.expiry.expire(requestId);
        try {
          return await endOnce(deps, requestId, (request) => wishFor(deps, request, resolve, remember(requestId)));
        } catch (error) {
          throw refusalOf(error, resolve);
        }
      },
    },
  );
}

function checkArguments({ decision, arguments: args }: ResolvePermission): void {
  if (args === undefined) return;
  if (decision === "deny") throw invalidArguments("give them with APPROVE only: a denied call does not run");
  if (!isToolArguments(args)) throw invalidArguments("must be an object of at most 30 levels");
  // The request holds those that were asked, too, and has to fit into what every client can take.
  if (Buffer.byteLength(JSON.stringify(args)) > MAX_MESSAGE_BYTES) {
    throw invalidArguments(`must have at most ${MAX_MESSAGE_BYTES} bytes as JSON`);
  }
}

async function wishFor(
  deps: ResolveDeps,
  request: StoredRequest,
  resolve: ResolvePermission,
  also: readonly Statement[],
): Promise<Wish> {
  const { permission } = request;
  if (permission === undefined) throw notAPermission(request.id);
  const session = await getSession(deps.db, request.sessionId);
  if (resolve.decision === "approve") await checkAllowed(deps, session, request, permission, resolve.arguments);
  const rule = ruleOfAnswer(deps, session, permission, resolve);
  const { decision, reason, actor, arguments: args } = resolve;
  const answer: PermissionAnswer = {
    kind: "permission",
    decision,
    scope: rule?.scope ?? "once",
    ...(rule !== undefined && { rule }),
    ...(args !== undefined && { arguments: args }),
    reason,
  };
  return {
    state: "answered",
    answer,
    endReason: "",
    actor,
    also: [...also, ...(rule === undefined ? [] : addRule(rule))],
    forCall: (of, ended) => factsFor(deps, of, ended, permission, answer),
  };
}

/** A deny rule and a protected path outweigh every answer, and so does a hook that has not seen what is to run instead. */
async function checkAllowed(
  deps: ResolveDeps,
  session: StoredSession,
  { turnId }: StoredRequest,
  permission: Permission,
  args: JsonObject | undefined,
): Promise<void> {
  const { tool, callId } = permission;
  const objection =
    (await findObjection(deps, session, tool, args ?? permission.arguments)) ??
    (args && (await findHookObjection(deps, session, { turnId, callId, tool, arguments: args })));
  if (objection === undefined) return checkFits(deps, session, tool, args ?? permission.arguments);
  throw new DomainError(
    "denied",
    "CALL_NOT_ALLOWED",
    `no answer can let this call run: ${objection}; deny it, or change it`,
    {
      tool,
    },
  );
}

/** What could not be done when it ran is told to who lets it run; they may deny it, or change it. */
async function checkFits(
  { tools }: ResolveDeps,
  { id: sessionId, workspace }: StoredSession,
  name: string,
  args: JsonObject,
): Promise<void> {
  try {
    await tools.find((tool) => tool.name === name)?.preview?.(args, { sessionId, workspace });
  } catch (error) {
    const message = `arguments: ${error instanceof Error ? error.message : String(error)}`;
    throw new DomainError("invalid", "INVALID_TOOL_ARGUMENTS", message, { tool: name }, { cause: error });
  }
}

/** A hook that wants a human to be asked has what it wants. */
async function findHookObjection(
  deps: ResolveDeps,
  session: StoredSession,
  call: { readonly turnId: string; readonly callId: string; readonly tool: string; readonly arguments: JsonObject },
): Promise<string | undefined> {
  const { risk, reason } = await decide(deps, session, call.tool, call.arguments);
  const { id: sessionId, workspace } = session;
  const asked = { ...call, sessionId, workspace, risk, verdict: "ask", reason } as const;
  // Its own time limits it: the answer of a human does not end with the call that brought it.
  const ruling = await deps.hooks.ask(asked, new AbortController().signal);
  return ruling?.decision === "deny" ? ruling.reason : undefined;
}

/** What the answer means for the call. It goes on at once, or it is over. */
function factsFor(
  deps: ResolveDeps,
  session: StoredSession,
  ended: Request,
  permission: Permission,
  { decision, arguments: args, reason }: PermissionAnswer,
): Facts {
  const { callId, tool: name, risk, reason: whyAsked } = permission;
  const decided: CallDecision = {
    verdict: "allow",
    risk: { level: risk, reason: whyAsked },
    reason: reason === "" ? whyAsked : reason,
    decidedBy: ended.answeredBy,
    ...(ended.endTimeMs !== undefined && { decideTimeMs: ended.endTimeMs }),
  };
  if (decision === "deny") {
    const said = reason === "" ? "a human does not want it" : `a human does not want it, and says: ${reason}`;
    return callDenied(deps, session, ended, { ...decided, reason: said });
  }
  const shownHash = hashOfCall({ name, arguments: permission.arguments });
  const approved = setCallApproved({ callId, shownHash, name, arguments: args, decision: decided });
  const place = { sessionId: session.id, turnId: ended.turnId };
  const call = { id: callId, name, arguments: args ?? permission.arguments };
  return { ...NO_FACTS, changes: (_seq, nowMs) => [approved, auditOfDecision(place, call, decided, nowMs)] };
}

function refusalOf(error: unknown, { requestId, rule, scope }: ResolvePermission): unknown {
  if (!(error instanceof ClaimLost)) return error;
  if (error.claim === "room") {
    const place = rule?.scope ?? scope;
    return tooManyRules(place === undefined || place === "once" ? "session" : place);
  }
  if (error.claim !== "call") return error;
  const message = `the call of request ${requestId} is not what was shown any more; dismiss the request`;
  return new DomainError("precondition", "CALL_CHANGED", message, { request_id: requestId });
}

function notAPermission(requestId: string): DomainError {
  const message = `request ${requestId} asks a question; answer it with RequestService.RespondRequest`;
  return new DomainError("invalid", "NOT_A_PERMISSION", message, { request_id: requestId });
}

function invalidArguments(problem: string): DomainError {
  return new DomainError("invalid", "INVALID_FIELD", `arguments: ${problem}`, { field: "arguments" });
}
