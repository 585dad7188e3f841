import { randomUUID } from "node:crypto";
import { auditEntry } from "../../audit/audit-entry.ts";
import type { BlobStore } from "../../blob/blob-store.ts";
import type { Clock } from "../../clock.ts";
import type { Idempotency } from "../../idempotency/idempotency.ts";
import type { NewId } from "../../id.ts";
import type { InTurn } from "../../in-turn.ts";
import type { ApprovalMode } from "../../permission/approval-mode.ts";
import type { Database } from "../../store/database.ts";
import { createImportBatch } from "./import-batch.ts";
import { checkComplete, invalidImport, parseLine, type ImportCounts } from "./import-line.ts";
import { findImport, insertImport, type Imported } from "./import-store.ts";
import { LineTooLong, readLines } from "./lines.ts";
import type { SessionDraft, SessionDrafts } from "../session-draft.ts";

export interface ImportSessionsDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly idempotency: Idempotency;
  readonly drafts: SessionDrafts;
  readonly blobs: BlobStore;
  /** One import at a time: whether an id is taken must stay true until it is used. */
  readonly importInTurn: InTurn;
  /** That of sessions for which the file says none. */
  readonly defaultMode: ApprovalMode;
}

export interface ImportSessions {
  readonly idempotencyKey: string;
  /** The file, in pieces that are cut anywhere, in order. */
  readonly blobs: readonly string[];
  /** The name of the caller's token. */
  readonly actor: string;
}

/** A message of 1 MiB whose every character JSON must escape, with what is around it. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/**
 * Makes the sessions of an export: all of them, or none. It goes on where its caller leaves; who names a key can ask again.
 * Throws DomainError `BLOB_NOT_FOUND`, `INVALID_IMPORT`, `IDEMPOTENCY_KEY_REUSED`, `ENGINE_STOPPING`.
 */
export async function importSessions(deps: ImportSessionsDeps, request: ImportSessions): Promise<Imported> {
  const { idempotencyKey: key, blobs, actor } = request;
  for (const sha256 of blobs) await deps.blobs.get(sha256);
  return deps.idempotency.once(
    { scope: "ImportSessions", key, content: { blobs } },
    {
      find: (id) => findImport(deps.db, id),
      make: (remember) =>
        deps.importInTurn(() =>
          deps.drafts.make(actor, async (draft) => {
            const imported = await fill(deps, blobs, draft);
            const id = randomUUID();
            const result = key === "" ? [] : [insertImport(id, imported, deps.clock.now())];
            const { sessionCount, messageCount } = imported;
            const detail = { sessions: sessionCount, messages: messageCount, blobs: [...blobs] };
            const entry = auditEntry({ action: "SESSIONS_IMPORTED", timeMs: deps.clock.now(), actor, detail });
            await draft.publish([...result, ...remember(id), entry]);
            return imported;
          }),
        ),
    },
  );
}

async function fill(deps: ImportSessionsDeps, blobs: readonly string[], draft: SessionDraft): Promise<Imported> {
  const batch = createImportBatch(deps, draft);
  const counts: ImportCounts = { lines: 0, sessions: 0, messages: 0, isEnded: false };
  try {
    for await (const numbered of readLines(readBlobs(deps.blobs, blobs), MAX_LINE_BYTES)) {
      const line = parseLine(numbered, counts);
      if (line !== undefined) await batch.add(line, numbered);
    }
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    throw invalidImport(error.line, `a line has at most ${MAX_LINE_BYTES} bytes`);
  }
  checkComplete(counts);
  return { ...(await batch.finish()), sessionCount: counts.sessions, messageCount: counts.messages };
}

async function* readBlobs(blobs: BlobStore, names: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const sha256 of names) yield* await blobs.read({ sha256 });
}
