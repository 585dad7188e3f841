import type { ServiceImpl } from "@connectrpc/connect";
import type { WorkspaceService } from "../../gen/ts/parley/v1/workspace_service_pb.ts";
import { getWorkspace, setWorkspaceTrust, type WorkspaceDeps } from "../trust/trust.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { listWorkspacesAfter } from "../trust/trust-store.ts";
import { actorOf } from "./actor.ts";
import { type Place, readPage } from "./page.ts";
import { workspaceToProto } from "./workspace-proto.ts";

export function createWorkspaceService(deps: WorkspaceDeps): ServiceImpl<typeof WorkspaceService> {
  return {
    listWorkspaces: async (request) => {
      const list = {
        scope: { method: "ListWorkspaces", args: [] },
        defaultSize: 100,
        maxSize: 1000,
        read: (place: Place | undefined, limit: number) => listWorkspacesAfter(deps.db, pathOf(place), limit),
        // The path is the place; there is no second one of it.
        placeOf: ({ path }: Workspace): Place => [path, 0],
      };
      const { items, nextPageToken } = await readPage<Workspace, Place>(list, request);
      return { workspaces: items.map(workspaceToProto), nextPageToken };
    },

    getWorkspace: async ({ path }) => ({ workspace: workspaceToProto(await getWorkspace(deps, path)) }),

    setWorkspaceTrust: async ({ path, trusted }, context) => {
      const workspace = await setWorkspaceTrust(deps, { path, trusted, actor: actorOf(context) });
      return { workspace: workspaceToProto(workspace) };
    },
  };
}

function pathOf(place: Place | undefined): string {
  return Array.isArray(place) ? String(place[0]) : "";
}
