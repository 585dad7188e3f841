import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Client, createClient, PermissionScope, RuleEffect } from "../../src/client/client.ts";
import { reasonOf } from "../../src/client/reason.ts";
import { verifyAudit } from "../../src/doctor/audit-checks.ts";
import { control, type Figure, figure, none } from "./figure.ts";
import { createLives, type Lives } from "./lives.ts";

const ENTRY = join(import.meta.dirname, "engine-entry.ts");

const WRITERS = 6;
const CONTROL_KILLS = 3;

interface Said {
  readonly made: Set<string>;
  readonly removed: Set<string>;
}

interface AuditKillResult {
  readonly kills: number;
  /** Changes that were acknowledged. */
  readonly changes: number;
  readonly entries: number;
  /** Changes that the log does not tell of, or tells of twice. */
  readonly untold: number;
  /** Entries that tell of changes that are not there. */
  readonly untrue: number;
  /** What is wrong with the chain. */
  readonly problems: number;
}

/** Makes and removes rules while engines are killed, then holds the audit log against what there is. */
async function runAuditKill(kills: number, env: Readonly<Record<string, string>>): Promise<AuditKillResult> {
  const lives = await createLives();
  const options = { entry: ENTRY, env };
  const first = await lives.start(options);
  if (first === undefined) throw new Error("the first engine was killed");
  const client = createClient(first);
  const said: Said = { made: new Set(), removed: new Set() };
  const controller = new AbortController();
  try {
    const writing = Promise.all(
      Array.from({ length: WRITERS }, (_, i) => write(controller.signal, lives, client, said, i)),
    );
    // Told below; a failure before that is thrown there, too.
    writing.catch(() => undefined);
    for (let kill = 0; kill < kills; kill++) {
      await Promise.race([changesSince(countOf(said), said), writing]);
      await lives.kill();
      await lives.start(options);
    }
    await lives.ready();
    controller.abort();
    await writing;
    return { kills, changes: countOf(said), ...(await look(client, lives.dataDir, said)) };
  } finally {
    controller.abort();
    client.close();
    await lives.kill();
    await lives.close();
  }
}

const countOf = ({ made, removed }: Said): number => made.size + removed.size;

/** In the middle of the writing, however fast this machine is today. */
async function changesSince(before: number, said: Said): Promise<void> {
  const wanted = before + 5 + Math.random() * 20;
  while (countOf(said) < wanted) await pause(2);
  await pause(Math.random() * 20);
}

async function write(signal: AbortSignal, lives: Lives, client: Client, said: Said, writer: number): Promise<void> {
  const rule = { effect: RuleEffect.DENY, scope: PermissionScope.GLOBAL, tool: "shell", pattern: `rm ${writer}` };
  for (let number = 0; !signal.aborted; number++) {
    const idempotencyKey = `${writer}-${number}`;
    const { answer } = await lives.untilAnswered(() => client.permissions.createRule({ idempotencyKey, rule }));
    const ruleId = answer.rule!.id;
    said.made.add(ruleId);
    if (number % 4 === 0 && number < 100) continue;
    await lives.untilAnswered(() => remove(client, ruleId));
    said.removed.add(ruleId);
  }
}

/** A call that repeats one whose answer was lost finds nothing to remove. */
async function remove(client: Client, ruleId: string): Promise<void> {
  try {
    await client.permissions.deleteRule({ ruleId });
  } catch (error) {
    if (reasonOf(error)?.reason !== "RULE_NOT_FOUND") throw error;
  }
}

async function look(client: Client, dataDir: string, said: Said) {
  const made = await targetsOf(client, "RULE_CREATED");
  const removed = await targetsOf(client, "RULE_REMOVED");
  const living = new Set<string>();
  let pageToken = "";
  do {
    const page = await client.permissions.listRules({ pageSize: 200, pageToken });
    for (const { id } of page.rules) living.add(id);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const untold =
    [...said.made, ...living].filter((id) => made.get(id) !== 1).length +
    [...said.removed].filter((id) => removed.get(id) !== 1).length;
  const untrue =
    [...made.keys()].filter((id) => !removed.has(id) && !living.has(id)).length +
    [...removed.keys()].filter((id) => living.has(id)).length;
  const { count, problems } = verifyAudit(dataDir, []);
  return { entries: count, untold, untrue, problems: problems.length };
}

/** How often each target is told of. */
async function targetsOf(client: Client, action: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let pageToken = "";
  do {
    const page = await client.engine.listAuditEntries({ action, pageSize: 1000, pageToken });
    for (const { target } of page.entries) counts.set(target, (counts.get(target) ?? 0) + 1);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return counts;
}

export async function auditKill(kills: number): Promise<readonly Figure[]> {
  const { changes, entries, untold, untrue, problems } = await runAuditKill(kills, {});
  const apart = await runAuditKill(Math.min(kills, CONTROL_KILLS), { PARLEY_FAULT_VARIANT: "audit-apart" });
  return [
    figure("kill -9 while the audit log is written", kills, "all of them", kills > 0),
    none("acknowledged changes that the audit log does not tell of, once", untold, changes),
    none("entries of the audit log that tell of what is not there", untrue, entries),
    none("entries whose hash is not that of a whole chain", problems, entries),
    control("entries written after what they tell of", apart.untold, "changes untold"),
  ];
}
