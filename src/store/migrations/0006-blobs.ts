/** Uploaded files, sessions that are being made in pieces, and what came of imports. */
export const blobs = `
-- The bytes are files of the data directory, named by the hash.
CREATE TABLE blobs (
  sha256 TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  -- Of the last upload of these bytes.
  upload_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_age ON blobs (upload_time_ms);

-- How often what was said before was changed or removed: who reads a history in pieces sees by it that they do not fit
-- together. Edits count by a trigger, so that no writer can forget it; a removal counts once, not for each of its messages.
ALTER TABLE sessions ADD COLUMN history_edits INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER messages_edited AFTER UPDATE OF parts ON messages WHEN old.status <> 'streaming' BEGIN
  UPDATE sessions SET history_edits = history_edits + 1 WHERE key = old.session_key;
END;

-- Where the keys of sessions are counted, also before there is one: drafts take theirs from there.
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'sessions', coalesce((SELECT max(key) FROM sessions), 0)
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'sessions');

-- Sessions that are being made in pieces: their messages and events are there, under a key that is theirs for ever, and
-- nobody sees them before the row moves to \`sessions\`. The columns are those of \`sessions\`.
CREATE TABLE draft_sessions (
  key INTEGER PRIMARY KEY,
  draft TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  title_folded TEXT NOT NULL,
  profile TEXT NOT NULL,
  model TEXT NOT NULL,
  system_prompt TEXT NOT NULL,
  workspace TEXT NOT NULL,
  labels TEXT NOT NULL,
  limits TEXT NOT NULL,
  starred INTEGER NOT NULL,
  resume_after_restart INTEGER NOT NULL,
  retry_partial INTEGER NOT NULL,
  forked_from TEXT NOT NULL,
  state TEXT NOT NULL,
  running_turn_id TEXT NOT NULL,
  last_turn_id TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  model_calls INTEGER NOT NULL,
  create_time_ms INTEGER NOT NULL,
  update_time_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX draft_sessions_by_draft ON draft_sessions (draft, key);

-- What an import made, as JSON, for who asks again with its idempotency key.
CREATE TABLE imports (
  id TEXT PRIMARY KEY,
  result TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX imports_by_age ON imports (create_time_ms);
`;
