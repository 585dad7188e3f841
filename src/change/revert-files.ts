import { auditEntry } from "../audit/audit-entry.ts";
import type { Clock } from "../clock.ts";
import { invalidField } from "../errors.ts";
import type { EventLog } from "../event/event-log.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import type { NewId } from "../id.ts";
import { sessionBusy } from "../session/session-busy.ts";
import { getSession, type StoredSession } from "../session/session-store.ts";
import type { Database, Statement } from "../store/database.ts";
import { getTurn } from "../turn/turn-store.ts";
import { listChanges, setChangesUndone } from "./change-store.ts";
import { type KeptChange, MAX_DIFF_BYTES } from "./file-change.ts";
import { foldChanges, type FoldedChange } from "./fold-changes.ts";
import { revertFile, type RevertFileDeps } from "./revert-file.ts";
import { findRevert, insertRevert } from "./revert-store.ts";
import type { Revert, RevertedFile, RevertOutcome } from "./revert.ts";

/** One answer, and one event, holds so many files, with names and diffs of so many bytes. */
const MAX_FILES = 1000;
const MAX_PATH_BYTES = 1024 * 1024;
const MAX_ALL_DIFFS_BYTES = 1024 * 1024;

export interface RevertFilesDeps extends RevertFileDeps {
  readonly db: Database;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly idempotency: Idempotency;
}

export interface RevertFiles {
  readonly sessionId: string;
  readonly turnId: string;
  /** True: says what it would do, and does nothing. */
  readonly isPreview: boolean;
  readonly idempotencyKey: string;
  /** The name of the caller's token. */
  readonly actor: string;
}

/**
 * Takes back what a turn did to files, and touches those alone that are as it left them. What was taken back is not taken back
 * again. Throws DomainError `SESSION_NOT_FOUND`, `TURN_NOT_FOUND`, `SESSION_BUSY`, `IDEMPOTENCY_KEY_REUSED`.
 */
export async function revertFiles(deps: RevertFilesDeps, request: RevertFiles): Promise<Revert> {
  const { sessionId, turnId, isPreview, idempotencyKey: key } = request;
  if (isPreview && key !== "") throw invalidField("idempotency_key", "a preview does nothing; leave the key out");
  return deps.idempotency.once(
    { scope: `RevertFiles ${sessionId}`, key, content: { turnId } },
    {
      find: (id) => findRevert(deps.db, id),
      make: (remember) => revert(deps, request, key === "" ? undefined : remember),
    },
  );
}

type Remember = (id: string) => readonly Statement[];

async function revert(deps: RevertFilesDeps, request: RevertFiles, remember: Remember | undefined): Promise<Revert> {
  const { db, files } = deps;
  const { workspace } = await getSession(db, request.sessionId);
  // Tools change files in this turn, too, so that none comes in between.
  return files.changeInTurn(workspace, async () => {
    const session = await getSession(db, request.sessionId);
    await getTurn(db, session.id, request.turnId);
    if (session.runningTurnId !== "") throw sessionBusy(session);
    const { now, hasMore } = takeSome(foldChanges(await listChanges(db, session, request.turnId)));
    const done: RevertedFile[] = [];
    for (const change of now) done.push(await revertFile(deps, workspace, change, request.isPreview));
    const result = { files: withinLimits(done), hasMore };
    if (!request.isPreview) await record(deps, session, request, { changes: now, result, remember });
    return result;
  });
}

function takeSome(changes: readonly FoldedChange[]) {
  let bytes = 0;
  const end = changes.findIndex(({ path }, index) => {
    bytes += Buffer.byteLength(path);
    return index === MAX_FILES || (bytes > MAX_PATH_BYTES && index > 0);
  });
  return end < 0 ? { now: changes, hasMore: false } : { now: changes.slice(0, end), hasMore: true };
}

/** Leaves out diffs that are too large, alone or all together. */
function withinLimits(files: readonly RevertedFile[]): RevertedFile[] {
  let left = MAX_ALL_DIFFS_BYTES;
  return files.map((file) => {
    const bytes = Buffer.byteLength(file.diff);
    if (bytes > Math.min(left, MAX_DIFF_BYTES)) return { ...file, diff: "" };
    left -= bytes;
    return file;
  });
}

interface Done {
  readonly changes: readonly FoldedChange[];
  readonly result: Revert;
  readonly remember: Remember | undefined;
}

/**
 * Tells of it, and forgets what need not be taken back any more. After the files: a crash in between finds them as before. The
 * logs of agents that the turn started are told of their own turns; the turn's own is told of all, last.
 */
async function record(
  { db, log, clock, newId }: RevertFilesDeps,
  session: StoredSession,
  { turnId, actor }: RevertFiles,
  { changes, result, remember }: Done,
): Promise<void> {
  const changesOf = (outcome: RevertOutcome): KeptChange[] =>
    changes.flatMap((folded, index) => (result.files[index]?.outcome === outcome ? folded.changes : []));
  const reverted = Map.groupBy(changesOf("reverted"), (change) => `${change.sessionId} ${change.turnId}`);
  const own = `${session.id} ${turnId}`;
  for (const [place, theirs] of reverted) {
    const [first] = theirs;
    if (place === own || first === undefined) continue;
    const paths = [...new Set(theirs.map(({ path }) => path))];
    await log.append(first.sessionId, {
      actor,
      events: [{ kind: "files_reverted", turnId: first.turnId, paths }],
      changes: (seq) => [setChangesUndone(idsOf(theirs), seq)],
    });
  }
  const id = newId("rev");
  const changesAt = (seq: number): readonly Statement[] => [
    setChangesUndone(idsOf(changesOf("as_before")), 0),
    setChangesUndone(idsOf(reverted.get(own) ?? []), seq),
    ...(remember === undefined ? [] : [insertRevert(id, session.key, result, clock.now()), ...remember(id)]),
  ];
  const paths = result.files.filter(({ outcome }) => outcome === "reverted").map(({ path }) => path);
  if (paths.length === 0) return db.transact(changesAt(0));
  await log.append(session.id, {
    actor,
    events: [{ kind: "files_reverted", turnId, paths }],
    changes: (firstSeq, timeMs) => [
      ...changesAt(firstSeq),
      auditEntry({ action: "FILES_REVERTED", timeMs, actor, sessionId: session.id, target: turnId, detail: { paths } }),
    ],
  });
}

function idsOf(changes: readonly KeptChange[]): string[] {
  return changes.map(({ id }) => id);
}
