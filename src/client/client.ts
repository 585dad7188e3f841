import {
  Code,
  ConnectError,
  type Client as ServiceClient,
  createClient as createServiceClient,
  type Transport,
} from "@connectrpc/connect";
import { AgentService } from "../../gen/ts/parley/v1/agent_service_pb.ts";
import { EngineService } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import { MessageService } from "../../gen/ts/parley/v1/message_service_pb.ts";
import { PermissionService } from "../../gen/ts/parley/v1/permission_service_pb.ts";
import { ProfileService } from "../../gen/ts/parley/v1/profile_service_pb.ts";
import { RequestService } from "../../gen/ts/parley/v1/request_service_pb.ts";
import { WorkspaceService } from "../../gen/ts/parley/v1/workspace_service_pb.ts";
import { SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import type { Environment } from "../config.ts";
import { isDiscovered, locateEngine } from "./locate-engine.ts";
import { connect, connectDiscovered, type Connection } from "./transport.ts";
import { getBlob } from "./read-blob.ts";
import { postBlob, type BlobSource, type UploadedBlob, type UploadOptions } from "./upload-blob.ts";

export type { BlobSource, UploadedBlob, UploadOptions } from "./upload-blob.ts";
export * from "./api.ts";

export interface ClientOptions {
  /**
   * Where the engine is, such as `http://127.0.0.1:7433`, `https://engine.example:7433` or `unix:/path/of/engine.sock`.
   * Absent = `PARLEY_URL`, else the engine of the data directory.
   */
  readonly url?: string | undefined;
  /** Absent = `PARLEY_TOKEN`, else the data directory's; that one is sent to this machine only. */
  readonly token?: string | undefined;
  /**
   * A PEM file with the CAs that may vouch for the engine. Absent = `PARLEY_TLS_CA`; else for an engine found in the data
   * directory the certificate that it wrote there, for others those of the system.
   */
  readonly tlsCa?: string | undefined;
  /** Where to look for an engine. Absent = `PARLEY_DATA_DIR`, else `~/.parley`. */
  readonly dataDir?: string | undefined;
  /** Another way to an engine, such as Connect's router transport in a test; nothing is looked up then. */
  readonly transport?: Transport | undefined;
  readonly env?: Environment;
}

/** An engine's services. One HTTP/2 connection carries all calls; it is opened with the first. */
export interface Client {
  readonly sessions: ServiceClient<typeof SessionService>;
  readonly messages: ServiceClient<typeof MessageService>;
  readonly permissions: ServiceClient<typeof PermissionService>;
  readonly requests: ServiceClient<typeof RequestService>;
  readonly workspaces: ServiceClient<typeof WorkspaceService>;
  readonly profiles: ServiceClient<typeof ProfileService>;
  readonly agents: ServiceClient<typeof AgentService>;
  readonly engine: ServiceClient<typeof EngineService>;
  /** Uploads at most 64 MiB, for an import to name. Throws as calls do, with `BLOB_TOO_LARGE` where it is more. */
  uploadBlob(source: BlobSource, options?: UploadOptions): Promise<UploadedBlob>;
  /** Reads a blob: a picture or a file of a message, or all of a result that was cut. Throws as calls do, `BLOB_NOT_FOUND` too. */
  readBlob(sha256: string, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
  /** Where the engine is; of a found one it changes when that was started anew elsewhere. Empty with `transport`. */
  readonly url: string;
  /** Ends every open call and the connection. */
  close(): void;
}

/**
 * Makes a client of the engine that is named or found. A unary call ends after 70 s unless the caller sets `timeoutMs`.
 * @throws DomainError unavailable `ENGINE_NOT_RUNNING` or `TOKEN_NOT_FOUND`, which say what to start; invalid `INVALID_CONFIG`.
 */
export function createClient(options: ClientOptions = {}): Client {
  const connection = open(options);
  return {
    sessions: createServiceClient(SessionService, connection),
    messages: createServiceClient(MessageService, connection),
    permissions: createServiceClient(PermissionService, connection),
    requests: createServiceClient(RequestService, connection),
    workspaces: createServiceClient(WorkspaceService, connection),
    profiles: createServiceClient(ProfileService, connection),
    agents: createServiceClient(AgentService, connection),
    engine: createServiceClient(EngineService, connection),
    uploadBlob: (source, options) => postBlob(connection.openRequest, source, options),
    readBlob: (sha256, options) => getBlob(connection.openRequest, sha256, options?.signal),
    get url() {
      return connection.url;
    },
    close: () => connection.close(),
  };
}

function open(options: ClientOptions): Connection {
  const { transport } = options;
  if (transport !== undefined) {
    return {
      url: "",
      unary: (...call) => transport.unary(...call),
      stream: (...call) => transport.stream(...call),
      openRequest: () =>
        Promise.reject(new ConnectError("a transport of one's own knows no blobs", Code.Unimplemented)),
      close: () => undefined,
    };
  }
  // oxlint-disable-next-line node/no-process-env -- the default of an argument
  const where = { ...options, env: options.env ?? process.env };
  return isDiscovered(where) ? connectDiscovered(() => locateEngine(where)) : connect(locateEngine(where));
}
