import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import { AgentService } from "../../gen/ts/parley/v1/agent_service_pb.ts";
import { EngineService } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import { MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { PermissionService } from "../../gen/ts/parley/v1/permission_service_pb.ts";
import { ProfileService } from "../../gen/ts/parley/v1/profile_service_pb.ts";
import { RequestService } from "../../gen/ts/parley/v1/request_service_pb.ts";
import { WorkspaceService } from "../../gen/ts/parley/v1/workspace_service_pb.ts";
import { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { createAgentService } from "./agent-service.ts";
import { createEngineService } from "./engine-service.ts";
import type { HealthService } from "./health.ts";
import { createMessageService } from "./message-service.ts";
import { createPermissionService } from "./permission-service.ts";
import { createProfileService } from "./profile-service.ts";
import { reflectionRoutes } from "./reflection.ts";
import { createRequestService } from "./request-service.ts";
import { createSessionService } from "./session-service.ts";
import { createWorkspaceService } from "./workspace-service.ts";

/** The services of this package, as health names them. */
export const SERVICES: readonly DescService[] = [
  SessionService,
  MessageService,
  PermissionService,
  RequestService,
  ProfileService,
  AgentService,
  WorkspaceService,
  EngineService,
];

export type ServiceDeps = Parameters<typeof createSessionService>[0] &
  Parameters<typeof createMessageService>[0] &
  Parameters<typeof createPermissionService>[0] &
  Parameters<typeof createRequestService>[0] &
  Parameters<typeof createProfileService>[0] &
  Parameters<typeof createAgentService>[0] &
  Parameters<typeof createWorkspaceService>[0] &
  Parameters<typeof createEngineService>[0] & { readonly health: HealthService };

/**
 * What JSON names and the engine does not know is refused: a misspelt `approvalMode`, or a mode that there is not, would else be
 * left out without a word, and the session be freer than was asked for.
 */
const STRICT: Partial<ConnectRouterOptions> = { jsonOptions: { ignoreUnknownFields: false } };

export function registerServices(router: ConnectRouter, deps: ServiceDeps): void {
  router.service(SessionService, createSessionService(deps), STRICT);
  router.service(MessageService, createMessageService(deps), STRICT);
  router.service(PermissionService, createPermissionService(deps), STRICT);
  router.service(RequestService, createRequestService(deps), STRICT);
  router.service(ProfileService, createProfileService(deps), STRICT);
  router.service(AgentService, createAgentService(deps), STRICT);
  router.service(WorkspaceService, createWorkspaceService(deps), STRICT);
  router.service(EngineService, createEngineService(deps), STRICT);
  router.service(Health, deps.health.service);
  reflectionRoutes([...SERVICES, Health])(router);
}
