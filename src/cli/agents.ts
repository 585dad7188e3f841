import { resolve } from "node:path";
import { toJsonString } from "@bufbuild/protobuf";
import { type AgentDefinition, AgentDefinitionSchema, AgentSource, type Client } from "../client/client.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { formatTable } from "./format.ts";
import type { Output } from "./output.ts";

/** Lists the definitions that sessions can be made by; what is wrong in one stands in its line. */
export async function listAgents(context: Context, { workspace }: { readonly workspace?: string }): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const agents: AgentDefinition[] = [];
  for await (const agent of readAgents(client, workspace === undefined ? "" : resolve(workspace))) agents.push(agent);
  if (json) for (const agent of agents) out.write(`${toJsonString(AgentDefinitionSchema, agent)}\n`);
  else if (agents.length > 0) out.write(`${formatTable(agents.map((agent) => row(agent, out))).join("\n")}\n`);
  else if (out.isTerminal) {
    context.note("there is no agent definition; write agents/NAME.md in the data directory, see docs/agents.md");
  }
  return EXIT.ok;
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

function row({ name, description, source, path, error }: AgentDefinition, out: Output): string[] {
  const where = source === AgentSource.WORKSPACE ? "workspace" : "own";
  const about = error === "" ? out.foreignLine(description) : out.style.red(out.foreignLine(`${path}: ${error}`));
  return [out.foreignLine(name), where, about];
}
