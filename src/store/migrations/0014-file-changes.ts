/** What tools did to files, and what came of taking it back. */
export const fileChanges = `
-- What calls did to files, in the order in which they did it. A row is there before the file is changed, and as long as its call.
CREATE TABLE file_changes (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  session_key INTEGER NOT NULL,
  turn_id TEXT NOT NULL,
  call_id TEXT NOT NULL,
  -- Below the session's workspace, no link in it.
  path TEXT NOT NULL,
  -- What it was, as a blob; empty = there was no file, or it is not kept any more.
  before_sha256 TEXT NOT NULL,
  -- Null = there was no file.
  before_mode INTEGER,
  -- Of what was written; empty = the file was removed.
  after_sha256 TEXT NOT NULL,
  -- How many of the folders above it were made with it.
  new_folders INTEGER NOT NULL,
  -- begun: it may not have happened; made: it has, and its event tells of it; undone: it was taken back.
  state TEXT NOT NULL CHECK (state IN ('begun', 'made', 'undone')),
  -- The number of the event that tells that it was taken back; 0 = none does.
  undone_seq INTEGER NOT NULL,
  -- The blob of what its event tells, where that is too large for it; else empty.
  diff_sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX file_changes_by_turn ON file_changes (session_key, turn_id, key);
CREATE INDEX file_changes_by_call ON file_changes (call_id);

-- Its blobs are kept as long as it is.
CREATE TRIGGER file_changes_refer AFTER INSERT ON file_changes WHEN new.before_sha256 <> '' BEGIN
  INSERT INTO blob_references (owner, sha256) VALUES (new.id, new.before_sha256);
END;
CREATE TRIGGER file_changes_refer_anew AFTER UPDATE OF before_sha256, diff_sha256 ON file_changes BEGIN
  DELETE FROM blob_references WHERE owner = old.id;
  INSERT INTO blob_references (owner, sha256) SELECT new.id, new.before_sha256 WHERE new.before_sha256 <> ''
    UNION SELECT new.id, new.diff_sha256 WHERE new.diff_sha256 <> '';
END;
CREATE TRIGGER file_changes_forget AFTER DELETE ON file_changes BEGIN
  DELETE FROM blob_references WHERE owner = old.id;
END;

-- What came of taking back a turn's changes, as JSON, for who asks again with its idempotency key.
CREATE TABLE reverts (
  id TEXT PRIMARY KEY,
  session_key INTEGER NOT NULL,
  result TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reverts_by_age ON reverts (create_time_ms);
`;
