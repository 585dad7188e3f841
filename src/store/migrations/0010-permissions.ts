/** What agents may do without asking. */
export const permissions = `
ALTER TABLE sessions ADD COLUMN approval_mode TEXT NOT NULL DEFAULT 'default';
ALTER TABLE draft_sessions ADD COLUMN approval_mode TEXT NOT NULL DEFAULT 'default';

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

-- A session's rules go with it, in the same moment.
CREATE TRIGGER rules_of_removed AFTER DELETE ON sessions BEGIN
  DELETE FROM rules WHERE session_key = old.key;
END;
`;
