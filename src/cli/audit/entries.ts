import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AuditEntry, Client } from "../../client/client.ts";
import { resolveSession } from "../session-ref.ts";

const PAGE_SIZE = 1000;

/** Which entries; all of them unless something is set. */
export interface EntryOptions {
  readonly session?: string;
  readonly action?: string;
  readonly actor?: string;
  /** In milliseconds before now. */
  readonly since?: number;
}

/** The newest first. */
export async function* readEntries(
  client: Client,
  { session, action = "", actor = "", since }: EntryOptions,
  limit = Infinity,
  signal?: AbortSignal,
): AsyncGenerator<AuditEntry> {
  const filter = {
    sessionId: session === undefined ? "" : await sessionIdOf(client, session),
    // As it is shown, or as it is easier typed.
    action: action.toUpperCase().replaceAll("-", "_"),
    actor,
    ...(since !== undefined && { since: timestampFromMs(Date.now() - since) }),
  };
  let pageToken = "";
  let left = limit;
  do {
    const pageSize = Math.min(left, PAGE_SIZE);
    const page = await client.engine.listAuditEntries({ ...filter, pageSize, pageToken }, signal && { signal });
    yield* page.entries;
    left -= page.entries.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && left > 0);
}

/** The log outlives sessions: what looks like an id is taken for one. */
async function sessionIdOf(client: Client, ref: string): Promise<string> {
  return ref.startsWith("ses_") ? ref : resolveSession(client, ref);
}
