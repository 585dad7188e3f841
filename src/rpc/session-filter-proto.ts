import type { SessionFilter as SessionFilterProto } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { SessionFilter } from "../session/list/list-sessions.ts";
import { canonicalWorkspace } from "../workspace/workspace.ts";
import { sessionStatesFromProto } from "./session-proto.ts";

/** What requests ask for that find sessions; those that follow them look for no words. */
type Asked = Omit<SessionFilterProto, "$typeName" | "$unknown"> & { readonly query?: string };

/** Throws DomainError `INVALID_WORKSPACE`. */
export async function filterFromProto(asked: Asked): Promise<SessionFilter> {
  return {
    query: asked.query ?? "",
    labels: asked.labels,
    states: sessionStatesFromProto(asked.states),
    starred: asked.starred,
    workspace: asked.workspace === "" ? "" : await canonicalWorkspace(asked.workspace),
    profile: asked.profile,
    parentSessionId: asked.parentSessionId,
  };
}
