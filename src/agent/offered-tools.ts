import { listAncestors, type StoredSession } from "../session/session-store.ts";
import { MAX_LEVELS } from "../session/waiting-on.ts";
import type { Database } from "../store/database.ts";
import { RUN_AGENT } from "../tool/run-agent.ts";
import { mayStart, toolsOf, type AgentDefinition } from "./agent.ts";
import type { Agents } from "./definitions.ts";

/** As much of a list of agents as a model is told. */
const MAX_NAMED = 50;

interface Described {
  readonly name: string;
  readonly description: string;
}

/** Those of the engine's tools that a session is offered now. The one that starts agents says which there are; without any it is none. */
export async function offeredTools<T extends Described>(
  { db, tools, agents }: { readonly db: Database; readonly tools: readonly T[]; readonly agents: Pick<Agents, "list"> },
  session: StoredSession,
): Promise<readonly T[]> {
  const own = toolsOf(tools, session);
  const starting = own.find(({ name }) => name === RUN_AGENT);
  if (starting === undefined) return own;
  const startable = await listStartable({ db, agents }, session);
  if (startable.length === 0) return own.filter((tool) => tool !== starting);
  const names = startable.slice(0, MAX_NAMED).map(({ name, description }) => `\n- ${name}: ${description}`);
  const description = `${starting.description} There are:${names.join("")}`;
  return own.map((tool) => (tool === starting ? { ...tool, description } : tool));
}

/** The definitions that a session may start agents by. */
async function listStartable(
  { db, agents }: { readonly db: Database; readonly agents: Pick<Agents, "list"> },
  session: StoredSession,
): Promise<AgentDefinition[]> {
  if ((await listAncestors(db, session)).length >= MAX_LEVELS - 1) return [];
  const all = await agents.list(session.workspace);
  return all.filter(({ name, error }) => error === "" && mayStart(session, name));
}
