import { resolveWorkspace } from "../../src/workspace/workspace.ts";
import type { Workspaces } from "../../src/workspace/workspaces.ts";

/** Sessions get the workspace that they are given, and none where they are given none: no folder is made. */
export const GIVEN_WORKSPACES: Workspaces = {
  make: async (given) => (given === "" ? "" : resolveWorkspace(given)),
  allows: () => true,
};
