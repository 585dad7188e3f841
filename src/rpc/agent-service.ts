import type { ServiceImpl } from "@connectrpc/connect";
import type { AgentService } from "../../gen/ts/parley/v1/agent_service_pb.ts";
import type { AgentDefinition } from "../agent/agent.ts";
import type { Agents } from "../agent/definitions.ts";
import { canonicalWorkspace } from "../workspace/workspace.ts";
import { agentToProto } from "./agent-proto.ts";
import { MAX_PAGE_BYTES, type Place, readPage } from "./page.ts";

export function createAgentService({ agents }: { readonly agents: Agents }): ServiceImpl<typeof AgentService> {
  return {
    listAgentDefinitions: async (request) => {
      const workspace = request.workspace === "" ? "" : await canonicalWorkspace(request.workspace);
      const all = await agents.list(workspace);
      const list = {
        scope: { method: "ListAgentDefinitions", args: [workspace] },
        defaultSize: 100,
        maxSize: 1000,
        read: async (after: Place | undefined, limit: number) => pageOf(all, after, limit),
        placeOf,
      };
      const { items, nextPageToken } = await readPage<AgentDefinition, Place>(list, request);
      return { agents: items.map(agentToProto), nextPageToken };
    },
  };
}

/** Of two that have one name, the owner's comes first. */
function placeOf({ name, source }: AgentDefinition): Place {
  return [name, source === "data_dir" ? 0 : 1];
}

function pageOf(all: readonly AgentDefinition[], after: Place | undefined, limit: number): readonly AgentDefinition[] {
  const begin = after === undefined ? 0 : all.findIndex((agent) => isAfter(placeOf(agent), after));
  const page: AgentDefinition[] = [];
  let bytes = 0;
  for (const agent of begin === -1 ? [] : all.slice(begin, begin + limit)) {
    page.push(agent);
    bytes += Buffer.byteLength(agent.instructions) + 4096;
    if (bytes > MAX_PAGE_BYTES) break;
  }
  return page;
}

function isAfter(place: Place, other: Place): boolean {
  if (!Array.isArray(place) || !Array.isArray(other)) return false;
  return place[0] > other[0] || (place[0] === other[0] && place[1] > other[1]);
}
