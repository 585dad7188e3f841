/** Sessions, turns, messages, tool calls, their log, and what makes retries harmless. */
export const core = `
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- key is short, for the log's rows, and is never used twice.
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
) STRICT;

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
) STRICT;
CREATE INDEX turns_by_session ON turns (session_key, first_seq);
CREATE INDEX turns_open ON turns (state) WHERE state <> 'ended';

CREATE TABLE messages (
  id TEXT PRIMARY KEY,
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
) STRICT;
CREATE INDEX messages_by_session ON messages (session_key, seq);

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
) STRICT;
CREATE INDEX tool_calls_by_turn ON tool_calls (turn_id, position);
CREATE INDEX tool_calls_by_session ON tool_calls (session_key);

-- A rowid table with a unique index takes half again as many rows a second as WITHOUT ROWID.
CREATE TABLE events (
  session_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  create_time_ms INTEGER NOT NULL,
  turn_id TEXT NOT NULL,
  actor TEXT NOT NULL,
  payload BLOB NOT NULL,
  UNIQUE (session_key, seq)
) STRICT;

-- Text of messages that are still being made. No second index: rows are only added at the end, removed from the
-- beginning, and read after a crash.
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

-- Removed sessions whose rows are still being removed.
CREATE TABLE removed_sessions (
  session_key INTEGER PRIMARY KEY
) STRICT;
`;
