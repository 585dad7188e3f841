import type { Client as ServiceClient } from "@connectrpc/connect";
import type { GetSnapshotResponse, SessionService } from "../../gen/ts/parley/v1/session_service_pb.ts";
import { createTranscript, type Transcript } from "./transcript.ts";

/** A session as it is at one moment, and where to go on from there. */
export interface Picture {
  readonly snapshot: GetSnapshotResponse;
  /** Its newest messages, with the one that is being made; older ones come from ListMessages with `nextPageToken`. */
  readonly transcript: Transcript;
  /** For `followSession`: what it yields, taken up by `applyEvent`, keeps the picture true. */
  readonly from: { readonly sessionId: string; readonly afterSeq: bigint; readonly logEpoch: string };
}

/**
 * Asks for a session's picture: at once, however long its log is. Follow it from `from`; after a `reset` there is another
 * log, and a new picture is to be asked for. Throws NOT_FOUND `SESSION_NOT_FOUND`.
 */
export async function loadPicture(
  client: { readonly sessions: ServiceClient<typeof SessionService> },
  options: {
    readonly sessionId: string;
    /** How many of the newest messages at most; absent = 100. */
    readonly pageSize?: number;
    readonly signal?: AbortSignal;
  },
): Promise<Picture> {
  const { sessionId, pageSize = 0, signal } = options;
  const snapshot = await client.sessions.getSnapshot({ sessionId, pageSize }, signal && { signal });
  const { lastSeq: afterSeq, logEpoch } = snapshot;
  return { snapshot, transcript: createTranscript(snapshot), from: { sessionId, afterSeq, logEpoch } };
}
