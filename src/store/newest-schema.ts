/**
 * What all migrations come to, to make a new store by: one transaction instead of one each, and to be read. Written by
 * `npx vitest run src/store/newest-schema.test.ts -u`, never by hand.
 */
export const newestSchema = `
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  profile TEXT NOT NULL,
  model TEXT NOT NULL,
  system_prompt TEXT NOT NULL,
  labels TEXT NOT NULL,
  limits TEXT NOT NULL,
  starred INTEGER NOT NULL,
  resume_after_restart INTEGER NOT NULL,
  retry_partial INTEGER NOT NULL,
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
, workspace TEXT NOT NULL DEFAULT '', forked_from TEXT NOT NULL DEFAULT '', revision INTEGER NOT NULL DEFAULT 0, title_folded TEXT NOT NULL DEFAULT '', history_edits INTEGER NOT NULL DEFAULT 0, waiting_on TEXT NOT NULL DEFAULT '', approval_mode TEXT NOT NULL DEFAULT 'default', agent TEXT NOT NULL DEFAULT '', parent_session_id TEXT NOT NULL DEFAULT '', parent_turn_id TEXT NOT NULL DEFAULT '', parent_call_id TEXT NOT NULL DEFAULT '', root_session_id TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE turns (
  id TEXT PRIMARY KEY,
  session_key INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  state TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  error TEXT NOT NULL,
  model TEXT NOT NULL,
  model_override TEXT NOT NULL,
  actor TEXT NOT NULL,
  steps INTEGER NOT NULL,
  usage TEXT NOT NULL,
  recoveries INTEGER NOT NULL,
  create_time_ms INTEGER NOT NULL,
  end_time_ms INTEGER
, queued_id TEXT NOT NULL DEFAULT '', end_seq INTEGER NOT NULL DEFAULT 0, worked_ms INTEGER NOT NULL DEFAULT 0, granted_steps INTEGER NOT NULL DEFAULT 0, granted_tokens INTEGER NOT NULL DEFAULT 0, granted_time_ms INTEGER NOT NULL DEFAULT 0, limit_request_id TEXT NOT NULL DEFAULT '', answered INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX turns_by_session ON turns (session_key, first_seq);

CREATE INDEX turns_open ON turns (state) WHERE state <> 'ended';

CREATE TABLE tool_calls (
  id TEXT PRIMARY KEY,
  session_key INTEGER NOT NULL,
  turn_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  arguments TEXT NOT NULL,
  invalid_arguments TEXT NOT NULL,
  state TEXT NOT NULL
, hash TEXT NOT NULL DEFAULT '', decision TEXT NOT NULL DEFAULT '', request_id TEXT NOT NULL DEFAULT '', edited INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX tool_calls_by_turn ON tool_calls (turn_id, position);

CREATE INDEX tool_calls_by_session ON tool_calls (session_key);

CREATE TABLE events (
  session_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  create_time_ms INTEGER NOT NULL,
  turn_id TEXT NOT NULL,
  actor TEXT NOT NULL,
  payload BLOB NOT NULL,
  UNIQUE (session_key, seq)
) STRICT;

CREATE TABLE deltas (
  id INTEGER PRIMARY KEY,
  session_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  stream TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency_keys (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  content_hash TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (create_time_ms);

CREATE TABLE removed_sessions (
  session_key INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE queued_messages (
  id TEXT PRIMARY KEY,
  session_key INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  framing TEXT NOT NULL,
  position INTEGER NOT NULL,
  parts TEXT NOT NULL,
  actor TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX queued_messages_by_session ON queued_messages (session_key, kind, position);

CREATE TABLE engine_revision (
  value INTEGER NOT NULL
, told_after INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX sessions_by_revision ON sessions (revision);

CREATE TABLE tombstones (
  revision INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
, item_key INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX sessions_by_create ON sessions (create_time_ms);

CREATE INDEX sessions_by_update ON sessions (update_time_ms);

CREATE INDEX sessions_by_title ON sessions (substr(title_folded, 1, 160));

CREATE INDEX sessions_active ON sessions (state) WHERE state <> 'idle';

CREATE VIRTUAL TABLE session_index USING fts5(
  words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2 tokenchars '='", prefix='1 2 3 4 5'
);

CREATE TRIGGER session_index_update AFTER UPDATE OF title_folded, starred, profile, workspace, labels ON sessions
WHEN old.title_folded <> new.title_folded OR old.starred <> new.starred OR old.profile <> new.profile OR old.workspace <> new.workspace OR old.labels <> new.labels BEGIN
  DELETE FROM session_index WHERE rowid = old.key;
  INSERT INTO session_index (rowid, words) VALUES (new.key, 
  new.title_folded || ' =s' || new.starred || ' =p' || hex(new.profile) || ' =w' || hex(new.workspace)
    || coalesce((SELECT group_concat(' =l' || hex(key) || 'x' || hex(value), '') FROM json_each(new.labels)), ''));
END;

CREATE TABLE "messages" (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  session_key INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  turn_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  role TEXT NOT NULL,
  status TEXT NOT NULL,
  parts TEXT NOT NULL,
  model TEXT NOT NULL,
  usage TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
, updated_seq INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX messages_by_session ON messages (session_key, seq);

CREATE VIRTUAL TABLE message_index USING fts5(
  words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2 tokenchars '='", prefix='2 3'
);

CREATE TABLE unindexed_messages (
  place INTEGER PRIMARY KEY,
  message_key INTEGER NOT NULL
) STRICT;

CREATE TRIGGER message_index_insert AFTER INSERT ON messages WHEN new.status <> 'streaming' BEGIN
  INSERT INTO unindexed_messages (message_key) VALUES (new.key);
END;

CREATE TRIGGER message_index_update AFTER UPDATE OF status, parts ON messages WHEN new.status <> 'streaming' BEGIN
  INSERT INTO unindexed_messages (message_key) VALUES (new.key);
END;

CREATE TRIGGER message_index_delete AFTER DELETE ON messages WHEN old.status <> 'streaming' BEGIN
  INSERT INTO unindexed_messages (message_key) VALUES (old.key);
END;

CREATE TABLE removed_ranges (
  session_key INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  PRIMARY KEY (session_key, from_seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_updated ON messages (session_key, updated_seq) WHERE updated_seq > 0;

CREATE TABLE blobs (
  sha256 TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  -- Of the last upload of these bytes.
  upload_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_by_age ON blobs (upload_time_ms);

CREATE TRIGGER messages_edited AFTER UPDATE OF parts ON messages WHEN old.status <> 'streaming' BEGIN
  UPDATE sessions SET history_edits = history_edits + 1 WHERE key = old.session_key;
END;

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
, approval_mode TEXT NOT NULL DEFAULT 'default', agent TEXT NOT NULL DEFAULT '') STRICT;

CREATE INDEX draft_sessions_by_draft ON draft_sessions (draft, key);

CREATE TABLE imports (
  id TEXT PRIMARY KEY,
  result TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX imports_by_age ON imports (create_time_ms);

CREATE TABLE tokens (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  -- Of what its owner shows; that itself is nowhere.
  sha256 BLOB NOT NULL UNIQUE,
  create_time_ms INTEGER NOT NULL,
  -- NULL = never.
  expire_time_ms INTEGER
) STRICT;

CREATE UNIQUE INDEX tokens_by_name ON tokens (lower(name));

CREATE INDEX tombstones_by_age ON tombstones (create_time_ms);

CREATE TRIGGER session_index_draft AFTER INSERT ON draft_sessions BEGIN
  INSERT INTO session_index (rowid, words) VALUES (new.key, 
  new.title_folded || ' =s' || new.starred || ' =p' || hex(new.profile) || ' =w' || hex(new.workspace)
    || coalesce((SELECT group_concat(' =l' || hex(key) || 'x' || hex(value), '') FROM json_each(new.labels)), ''));
END;

CREATE TRIGGER session_index_insert AFTER INSERT ON sessions
WHEN NOT EXISTS (SELECT 1 FROM session_index WHERE rowid = new.key) BEGIN
  INSERT INTO session_index (rowid, words) VALUES (new.key, 
  new.title_folded || ' =s' || new.starred || ' =p' || hex(new.profile) || ' =w' || hex(new.workspace)
    || coalesce((SELECT group_concat(' =l' || hex(key) || 'x' || hex(value), '') FROM json_each(new.labels)), ''));
END;

CREATE TRIGGER session_index_delete AFTER DELETE ON sessions
WHEN NOT EXISTS (SELECT 1 FROM draft_sessions WHERE key = old.key) BEGIN
  DELETE FROM session_index WHERE rowid = old.key;
END;

CREATE TRIGGER session_index_sweep AFTER DELETE ON removed_sessions BEGIN
  DELETE FROM session_index WHERE rowid = old.session_key;
END;

CREATE TABLE requests (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  -- NULL = of no session. The session may be gone.
  session_key INTEGER,
  session_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  -- JSON, as are the options, the form and the answers; NULL = none.
  context TEXT,
  options TEXT NOT NULL,
  form TEXT,
  -- 1 = low to 4 = urgent.
  priority INTEGER NOT NULL,
  tags TEXT NOT NULL,
  -- NULL = it waits for ever.
  deadline_ms INTEGER,
  default_answer TEXT,
  state TEXT NOT NULL,
  answer TEXT,
  answered_by TEXT NOT NULL,
  claimed_by TEXT NOT NULL,
  created_by TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL,
  end_time_ms INTEGER,
  end_reason TEXT NOT NULL,
  -- When its row may go; NULL = with its session.
  forget_time_ms INTEGER,
  revision INTEGER NOT NULL
, turn_id TEXT NOT NULL DEFAULT '', call_id TEXT NOT NULL DEFAULT '', permission TEXT, root_session_id TEXT NOT NULL DEFAULT '', root_knows INTEGER NOT NULL DEFAULT 0, root_untold INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX requests_by_urgency ON requests (state, priority DESC, key);

CREATE INDEX requests_by_session ON requests (session_key, state, key);

CREATE INDEX requests_by_revision ON requests (revision);

CREATE INDEX requests_by_deadline ON requests (deadline_ms) WHERE state = 'open' AND deadline_ms IS NOT NULL;

CREATE INDEX requests_by_age ON requests (forget_time_ms) WHERE forget_time_ms IS NOT NULL;

CREATE TABLE rules (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  effect TEXT NOT NULL,
  scope TEXT NOT NULL,
  -- Of scope session: which; NULL for the others.
  session_key INTEGER,
  session_id TEXT NOT NULL,
  -- Of scope workspace: which; empty for the others.
  workspace TEXT NOT NULL,
  tool TEXT NOT NULL,
  pattern TEXT NOT NULL,
  created_by TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL,
  -- NULL = never.
  expire_time_ms INTEGER
) STRICT;

CREATE INDEX rules_by_place ON rules (scope, workspace, session_key, key);

CREATE INDEX rules_by_session ON rules (session_key) WHERE session_key IS NOT NULL;

CREATE INDEX rules_by_end ON rules (expire_time_ms) WHERE expire_time_ms IS NOT NULL;

CREATE TRIGGER rules_of_removed AFTER DELETE ON sessions BEGIN
  DELETE FROM rules WHERE session_key = old.key;
END;

CREATE TABLE workspaces (
  -- Absolute and without links.
  path TEXT PRIMARY KEY,
  trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),
  -- When it was first said of it.
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_workspace ON sessions (workspace, create_time_ms, update_time_ms) WHERE workspace <> '';

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

CREATE TABLE reverts (
  id TEXT PRIMARY KEY,
  session_key INTEGER NOT NULL,
  result TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX reverts_by_age ON reverts (create_time_ms);

CREATE TABLE blob_references (
  owner TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (owner, sha256)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_references_by_blob ON blob_references (sha256);

CREATE TRIGGER messages_refer AFTER INSERT ON messages WHEN CASE new.role WHEN 'user' THEN instr(new.parts, '"sha256":"') > 0
    WHEN 'tool' THEN instr(new.parts, '"sha256":"') > 0 OR instr(new.parts, '"blob":"') > 0 ELSE 0 END BEGIN
  INSERT OR IGNORE INTO blob_references (sha256, owner) SELECT sha256, new.id FROM (
  SELECT json_extract(value, '$.sha256') AS sha256 FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') IN ('image', 'file')
  UNION SELECT json_extract(image.value, '$.sha256') FROM json_each(new.parts) AS part, json_each(part.value, '$.images') AS image
    WHERE json_extract(part.value, '$.kind') = 'tool_result'
  UNION SELECT json_extract(value, '$.blob') FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') = 'tool_result' AND json_extract(value, '$.blob') IS NOT NULL);
END;

CREATE TRIGGER messages_refer_anew AFTER UPDATE OF parts ON messages
WHEN CASE new.role WHEN 'user' THEN instr(new.parts, '"sha256":"') > 0
    WHEN 'tool' THEN instr(new.parts, '"sha256":"') > 0 OR instr(new.parts, '"blob":"') > 0 ELSE 0 END OR EXISTS (SELECT 1 FROM blob_references WHERE owner = new.id) BEGIN
  DELETE FROM blob_references WHERE owner = new.id;
  INSERT OR IGNORE INTO blob_references (sha256, owner) SELECT sha256, new.id FROM (
  SELECT json_extract(value, '$.sha256') AS sha256 FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') IN ('image', 'file')
  UNION SELECT json_extract(image.value, '$.sha256') FROM json_each(new.parts) AS part, json_each(part.value, '$.images') AS image
    WHERE json_extract(part.value, '$.kind') = 'tool_result'
  UNION SELECT json_extract(value, '$.blob') FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') = 'tool_result' AND json_extract(value, '$.blob') IS NOT NULL);
END;

CREATE TRIGGER messages_forget AFTER DELETE ON messages BEGIN
  DELETE FROM blob_references WHERE owner = old.id;
END;

CREATE TRIGGER queued_messages_refer AFTER INSERT ON queued_messages WHEN instr(new.parts, '"sha256":"') > 0 BEGIN
  INSERT OR IGNORE INTO blob_references (sha256, owner) SELECT sha256, new.id FROM (
  SELECT json_extract(value, '$.sha256') AS sha256 FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') IN ('image', 'file')
  UNION SELECT json_extract(image.value, '$.sha256') FROM json_each(new.parts) AS part, json_each(part.value, '$.images') AS image
    WHERE json_extract(part.value, '$.kind') = 'tool_result'
  UNION SELECT json_extract(value, '$.blob') FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') = 'tool_result' AND json_extract(value, '$.blob') IS NOT NULL);
END;

CREATE TRIGGER queued_messages_refer_anew AFTER UPDATE OF parts ON queued_messages
WHEN instr(new.parts, '"sha256":"') > 0 OR EXISTS (SELECT 1 FROM blob_references WHERE owner = new.id) BEGIN
  DELETE FROM blob_references WHERE owner = new.id;
  INSERT OR IGNORE INTO blob_references (sha256, owner) SELECT sha256, new.id FROM (
  SELECT json_extract(value, '$.sha256') AS sha256 FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') IN ('image', 'file')
  UNION SELECT json_extract(image.value, '$.sha256') FROM json_each(new.parts) AS part, json_each(part.value, '$.images') AS image
    WHERE json_extract(part.value, '$.kind') = 'tool_result'
  UNION SELECT json_extract(value, '$.blob') FROM json_each(new.parts)
    WHERE json_extract(value, '$.kind') = 'tool_result' AND json_extract(value, '$.blob') IS NOT NULL);
END;

CREATE TRIGGER queued_messages_forget AFTER DELETE ON queued_messages BEGIN
  DELETE FROM blob_references WHERE owner = old.id;
END;

CREATE TABLE todo_lists (
  session_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  items TEXT NOT NULL,
  PRIMARY KEY (session_key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_entries (
  seq INTEGER PRIMARY KEY,
  time_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  session_id TEXT NOT NULL,
  target TEXT NOT NULL,
  -- JSON.
  detail TEXT NOT NULL,
  -- Both NULL only inside of the transaction that brings the entry.
  prev_hash BLOB,
  hash BLOB
) STRICT;

CREATE INDEX audit_by_session ON audit_entries (session_id, seq) WHERE session_id <> '';

CREATE INDEX audit_by_action ON audit_entries (action, seq);

CREATE INDEX audit_by_actor ON audit_entries (actor, seq);

CREATE INDEX audit_by_time ON audit_entries (time_ms, seq);

CREATE TABLE audit_ends (
  name TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit_entries WHEN old.hash IS NOT NULL BEGIN
  SELECT raise(ABORT, 'an entry of the audit log is never changed');
END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit_entries
  WHEN old.seq > (SELECT seq FROM audit_ends WHERE name = 'anchor') BEGIN
  SELECT raise(ABORT, 'an entry of the audit log is removed only by moving the anchor');
END;

CREATE INDEX sessions_by_root ON sessions (root_session_id) WHERE root_session_id <> '';

CREATE INDEX sessions_by_parent ON sessions (parent_session_id, key) WHERE parent_session_id <> '';

CREATE INDEX requests_by_root ON requests (root_session_id, state, key) WHERE root_session_id <> '';

CREATE INDEX requests_untold ON requests (key) WHERE root_untold = 1;

CREATE TRIGGER request_of_child AFTER INSERT ON requests
WHEN (SELECT root_session_id FROM sessions WHERE key = new.session_key) <> '' BEGIN
  UPDATE requests SET root_untold = 1, root_session_id = (SELECT root_session_id FROM sessions WHERE key = new.session_key)
    WHERE key = new.key;
END;

CREATE TRIGGER request_of_child_ended AFTER UPDATE OF state ON requests
WHEN new.root_session_id <> '' AND old.state <> new.state BEGIN
  UPDATE requests SET root_untold = 1 WHERE key = new.key;
END;

INSERT INTO sqlite_sequence VALUES ('messages', 0);

INSERT INTO sqlite_sequence VALUES ('sessions', 0);

INSERT INTO engine_revision VALUES (1, 0);

INSERT INTO audit_ends VALUES ('anchor', 0, X'0000000000000000000000000000000000000000000000000000000000000000');

INSERT INTO audit_ends VALUES ('head', 0, X'0000000000000000000000000000000000000000000000000000000000000000');
`;
