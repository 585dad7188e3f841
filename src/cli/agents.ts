import { resolve } from "node:path";
import { toJsonString } from "@bufbuild/protobuf";
import { type AgentDefinition, AgentDefinitionSchema, AgentSource, type Client } from "../client/client.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatTable } from "./view/format.ts";
import type { Output } from "./output.ts";

/**
 * Lists the definitions that sessions can be made by, and then those that cannot be used, each with all that is wrong in it. Ends
 * with 1 where there is one of these.
 */
export async function listAgents(context: Context, { workspace }: { readonly workspace?: string }): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const agents: AgentDefinition[] = [];
  for await (const agent of readAgents(client, workspace === undefined ? "" : resolve(workspace))) agents.push(agent);
  const broken = agents.filter(({ error }) => error !== "");
  if (json) for (const agent of agents) out.write(`${toJsonString(AgentDefinitionSchema, agent)}\n`);
  else if (agents.length > 0) {
    const usable = agents.filter(({ error }) => error === "");
    const lines = [...formatTable(usable.map((agent) => row(agent, out))), ...broken.flatMap(brokenLines(out))];
    out.write(`${lines.join("\n")}\n`);
  } else if (out.isTerminal) {
    context.note("there is no agent definition; write agents/NAME.md in the data directory, see docs/agents.md");
  }
  return broken.length === 0 ? EXIT.ok : EXIT.failed;
}

/** By name. */
export async function* readAgents(client: Client, workspace: string): AsyncGenerator<AgentDefinition> {
  let pageToken = "";
  do {
    const page = await client.agents.listAgentDefinitions({ workspace, pageToken });
    yield* page.agents;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function row({ name, description, source }: AgentDefinition, out: Output): string[] {
  return [out.foreignLine(name), placeName(source), out.foreignLine(description)];
}

const placeName = (source: AgentSource): string => (source === AgentSource.WORKSPACE ? "workspace" : "own");

/** The file, and under it what is wrong in it, a line each. */
function brokenLines(out: Output): (agent: AgentDefinition) => string[] {
  const { style, foreignLine } = out;
  return ({ name, source, path, error }) => [
    `${foreignLine(name)}  ${placeName(source)}  ${style.red(foreignLine(`cannot be used: ${path}`))}`,
    ...error.split(/; (?=line \d+: )/).map((mistake) => `  ${style.red(foreignLine(mistake))}`),
  ];
}
