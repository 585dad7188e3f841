import { resolve } from "node:path";
import { toJsonString } from "@bufbuild/protobuf";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, PermissionScope, type Rule, RuleEffect, RuleSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatSpan, formatTable } from "../view/format.ts";
import type { Output } from "../output.ts";
import { resolveSession } from "../session-ref.ts";
import { ruleText, scopeWord } from "./words.ts";

const PAGE_SIZE = 200;

const EFFECTS = { allow: RuleEffect.ALLOW, ask: RuleEffect.ASK, deny: RuleEffect.DENY } as const;

export type EffectWord = keyof typeof EFFECTS;

export interface RulePlaceOptions {
  readonly session?: string;
  readonly workspace?: string;
}

/** All rules, or those that reach one session; the newest first. */
export async function listRules(context: Context, { session }: Pick<RulePlaceOptions, "session">): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const sessionId = session === undefined ? "" : await resolveSession(client, session);
  const rows: string[][] = [];
  let count = 0;
  for await (const rule of readRules(client, sessionId)) {
    count++;
    if (json) out.write(`${toJsonString(RuleSchema, rule)}\n`);
    else rows.push(row(rule, out));
  }
  if (rows.length > 0) out.write(`${formatTable(rows).join("\n")}\n`);
  if (count === 0 && out.isTerminal && !json)
    context.note("there is no rule; make one with `parley permissions allow`");
  return EXIT.ok;
}

async function* readRules(client: Client, sessionId: string): AsyncGenerator<Rule> {
  let pageToken = "";
  do {
    const page = await client.permissions.listRules({ sessionId, pageSize: PAGE_SIZE, pageToken });
    yield* page.rules;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function row(rule: Rule, out: Output): string[] {
  const { id, scope, sessionId, workspace, expireTime } = rule;
  const where = out.foreignLine(sessionId || workspace);
  const end = expireTime === undefined ? "" : `ends in ${formatSpan(timestampMs(expireTime) - Date.now())}`;
  return [id, where === "" ? scopeWord(scope) : `${scopeWord(scope)} ${where}`, ruleText(rule, out), end];
}

export interface AddRuleOptions extends RulePlaceOptions {
  readonly effect: EffectWord;
  readonly tool: string;
  readonly pattern: string;
  /** In milliseconds. */
  readonly lifetime?: number;
}

/** Makes a rule: of a session, of a folder, or of all sessions where neither is named. */
export async function addRule(context: Context, options: AddRuleOptions): Promise<ExitCode> {
  const { out, json } = context;
  const { effect, tool, pattern, session, workspace, lifetime } = options;
  const client = await context.client();
  const scope =
    session !== undefined
      ? PermissionScope.SESSION
      : workspace !== undefined
        ? PermissionScope.WORKSPACE
        : PermissionScope.GLOBAL;
  const { rule } = await client.permissions.createRule({
    rule: { effect: EFFECTS[effect], scope, tool, pattern },
    ...(session !== undefined && { sessionId: await resolveSession(client, session) }),
    ...(workspace !== undefined && { workspace: resolve(workspace) }),
    ...(lifetime !== undefined && { lifetime: durationFromMs(lifetime) }),
  });
  if (rule !== undefined) out.write(json ? `${toJsonString(RuleSchema, rule)}\n` : `${rule.id}\n`);
  return EXIT.ok;
}

/** In the order given; stops at the first that there is not. */
export async function removeRules(context: Context, ids: readonly string[]): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  for (const ruleId of ids) {
    await client.permissions.deleteRule({ ruleId });
    out.write(json ? `${JSON.stringify({ removed: ruleId })}\n` : `removed ${out.foreignLine(ruleId)}\n`);
  }
  return EXIT.ok;
}
