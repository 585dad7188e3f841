import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { JsonObject } from "../message/message.ts";
import { listAncestors, type StoredSession } from "../session/session-store.ts";
import type { Database } from "../store/database.ts";
import type { Assessment, Risk, OfferedTool, Subject, ToolPlace } from "../tool/tool.ts";
import { decidePermission, strictestOf, type Verdict } from "./policy.ts";
import type { ProtectedPaths } from "./protected-paths.ts";
import { listRulesOf } from "./rule-store.ts";
import type { Rule, RuleDraft } from "./rule.ts";
import { suggestRules } from "./suggest-rules.ts";

/** What becomes of a call. */
export interface Decision {
  readonly verdict: Verdict;
  readonly risk: Risk;
  /** What it touches. */
  readonly subjects: readonly Subject[];
  /** In words, for the human who is asked, and for the model that is denied. */
  readonly reason: string;
  /** The rule that decided; absent where none did. */
  readonly rule?: Rule;
  /** With `ask`: the rules by which calls like this one would run unasked, the narrowest first. */
  readonly suggestedRules: readonly RuleDraft[];
  /** True: only a human may let it run, this once. */
  readonly onlyOnce?: boolean;
  /** True: nobody is asked in this session; what would be asked about is denied. */
  readonly isUnattended?: boolean;
}

export interface DecisionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly tools: readonly OfferedTool[];
  readonly protectedPaths: ProtectedPaths;
}

/**
 * Decides on a call by the rules and the mode that are in force now; changes nothing. Throws DomainError `TOOL_NOT_FOUND`,
 * `INVALID_TOOL_ARGUMENTS`.
 */
export async function decide(
  { db, clock, tools, protectedPaths }: DecisionDeps,
  session: StoredSession,
  toolName: string,
  args: JsonObject,
): Promise<Decision> {
  const { workspace } = session;
  const [assessment, rules, above] = await Promise.all([
    assess(tools, toolName, args, { sessionId: session.id, workspace }),
    listRulesOf(db, session, clock.now()),
    listAncestors(db, session),
  ]);
  // An agent is never freer than the one that started it, also where that one's mode was changed since.
  const modes = [session, ...above].map(({ approvalMode }) => approvalMode);
  const rulings = modes.map((mode) =>
    decidePermission({ tool: toolName, assessment, mode, rules, workspace, protectedPaths }),
  );
  const { verdict, reason, rule } = strictestOf(rulings);
  const suggestedRules = verdict === "ask" ? suggestRules(toolName, assessment, workspace) : [];
  const { risk, subjects, onlyOnce = false } = assessment;
  const limits = { onlyOnce, isUnattended: modes.includes("restricted") };
  return { verdict, risk, subjects, reason, ...(rule !== undefined && { rule }), suggestedRules, ...limits };
}

async function assess(
  tools: readonly OfferedTool[],
  name: string,
  args: JsonObject,
  place: ToolPlace,
): Promise<Assessment> {
  const tool = tools.find((known) => known.name === name);
  if (tool === undefined) {
    throw new DomainError("not_found", "TOOL_NOT_FOUND", `there is no tool ${name}`, { tool: name });
  }
  try {
    return await tool.assess(args, place);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new DomainError(
      "invalid",
      "INVALID_TOOL_ARGUMENTS",
      `arguments: ${message}`,
      { tool: name },
      { cause: error },
    );
  }
}
