import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { WorkspaceSchema } from "../../gen/ts/parley/v1/workspace_pb.ts";
import type { Workspace } from "../workspace/workspace.ts";

export function workspaceToProto({ path, trusted, sessionCount, createTimeMs, useTimeMs }: Workspace) {
  return create(WorkspaceSchema, {
    path,
    trusted,
    sessionCount: BigInt(sessionCount),
    createTime: timestampFromMs(createTimeMs),
    ...(useTimeMs !== undefined && { useTime: timestampFromMs(useTimeMs) }),
  });
}
