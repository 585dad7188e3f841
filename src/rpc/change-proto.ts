import type { MessageInitShape } from "@bufbuild/protobuf";
import { FileChangeKind, type FileChangedSchema } from "../../gen/ts/parley/v1/event_pb.ts";
import { RevertOutcome, type RevertFilesResponseSchema } from "../../gen/ts/parley/v1/session_service_pb.ts";
import type * as domain from "../change/file-change.ts";
import type { Revert, RevertOutcome as Outcome } from "../change/revert.ts";

const KINDS: Readonly<Record<domain.FileChangeKind, FileChangeKind>> = {
  created: FileChangeKind.CREATED,
  modified: FileChangeKind.MODIFIED,
  deleted: FileChangeKind.DELETED,
};

const OUTCOMES: Readonly<Record<Outcome, RevertOutcome>> = {
  reverted: RevertOutcome.REVERTED,
  not_as_left: RevertOutcome.NOT_AS_LEFT,
  gone: RevertOutcome.GONE,
  as_before: RevertOutcome.AS_BEFORE,
  changed_between: RevertOutcome.CHANGED_BETWEEN,
  refused: RevertOutcome.REFUSED,
};

export function fileChangedToProto(changed: domain.FileChanged): MessageInitShape<typeof FileChangedSchema> {
  const { callId, path, diff, diffBlob, addedLines, removedLines } = changed;
  return { callId, path, kind: KINDS[changed.change], diff, diffBlob, addedLines, removedLines };
}

export function revertToProto({ files, hasMore }: Revert): MessageInitShape<typeof RevertFilesResponseSchema> {
  return { files: files.map((file) => ({ ...file, outcome: OUTCOMES[file.outcome] })), hasMore };
}
