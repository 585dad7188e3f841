import { createHash } from "node:crypto";
import { DomainError } from "../errors.ts";
import type { BlobStore } from "../blob/blob-store.ts";
import { writeBytes } from "../blob/write-bytes.ts";
import type { EventLog } from "../event/event-log.ts";
import type { NewId } from "../id.ts";
import type { StoredSession } from "../session/session-store.ts";
import { ClaimLost, type Database } from "../store/database.ts";
import type { AroundChange, FileChange } from "../workspace/file-change.ts";
import { diffOfChange } from "./change-diff.ts";
import { deleteChange, insertChange, setChangeMade } from "./change-store.ts";
import { type FileChangeKind, MAX_DIFF_BYTES } from "./file-change.ts";

export interface KeepChangesDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly blobs: Pick<BlobStore, "write">;
  readonly newId: NewId;
  /** Told of failures that nobody foresaw. */
  readonly onBug: (what: string, error: unknown) => void;
}

/** The call that changes files. */
export interface KeptCall {
  readonly session: Pick<StoredSession, "id" | "key">;
  readonly turnId: string;
  readonly callId: string;
  /** Nothing is changed any more once it is aborted. */
  readonly signal: AbortSignal;
}

/**
 * Stands around the changes of one call: what a file was, and what it is to be, is on the disk before it is changed, so that a
 * crash in between loses nothing; the event follows. Throws DomainError `TURN_OVER` where the turn has ended, and what the
 * store throws: nothing is changed then.
 */
export function keepChanges(deps: KeepChangesDeps, call: KeptCall): AroundChange {
  return (change, make) => keep(deps, call, change, make);
}

async function keep(
  deps: KeepChangesDeps,
  { session, turnId, callId, signal }: KeptCall,
  change: FileChange,
  make: () => Promise<void>,
): Promise<void> {
  const { db, log } = deps;
  const { path, before, after, newFolders } = change;
  const id = deps.newId("chg");
  const kept = {
    id,
    path,
    beforeSha256: before === undefined ? "" : await keepBlob(deps, before.bytes),
    beforeMode: before === undefined ? undefined : before.stats.mode & 0o777,
    afterSha256: after === undefined ? "" : hashOf(after),
    newFolders,
  };
  await db.transact([insertChange({ sessionKey: session.key, turnId, callId }, kept)]).catch(explainOver);
  try {
    signal.throwIfAborted();
    await make();
  } catch (error) {
    // What stays would only be looked at in vain.
    await db.transact([deleteChange(id)]).catch((cause: unknown) => deps.onBug("forgetting a change", cause));
    throw error;
  }
  const told = await diffOfChange(
    path,
    before?.bytes,
    after && Buffer.from(after.buffer, after.byteOffset, after.length),
  );
  const isLarge = Buffer.byteLength(told.diff) > MAX_DIFF_BYTES;
  const diffBlob = isLarge ? await keepBlob(deps, Buffer.from(told.diff)) : "";
  await log.append(session.id, {
    turnId,
    events: [
      { kind: "file_changed", callId, path, change: kindOf(change), ...told, ...(isLarge && { diff: "" }), diffBlob },
    ],
    changes: () => [setChangeMade(id, diffBlob)],
  });
}

function kindOf({ before, after }: FileChange): FileChangeKind {
  if (after === undefined) return "deleted";
  return before === undefined ? "created" : "modified";
}

async function keepBlob({ blobs }: KeepChangesDeps, bytes: Buffer): Promise<string> {
  return (await writeBytes(blobs, bytes, "application/octet-stream")).sha256;
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function explainOver(error: unknown): never {
  if (!(error instanceof ClaimLost)) throw error;
  const message = "the turn is over; nothing was changed";
  throw new DomainError("precondition", "TURN_OVER", message, {}, { cause: error });
}
