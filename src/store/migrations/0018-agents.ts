/** Agents that start others, and what their turns may use beyond their limits. */
export const agents = `
-- What is kept of the definition that a session was made by, as JSON; empty = none.
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE draft_sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';

-- The session, turn and call that started a session, and wait for it; empty = none.
ALTER TABLE sessions ADD COLUMN parent_session_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN parent_turn_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN parent_call_id TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_parent ON sessions (parent_session_id, key) WHERE parent_session_id <> '';

-- What humans granted a turn on top of its limits, and what the turns that it started used.
ALTER TABLE turns ADD COLUMN granted_steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN granted_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN granted_time_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN child_steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN child_tokens INTEGER NOT NULL DEFAULT 0;

-- The session at the root of the one that asks; empty = that one itself.
ALTER TABLE requests ADD COLUMN root_session_id TEXT NOT NULL DEFAULT '';
CREATE INDEX requests_by_root ON requests (root_session_id, state, key) WHERE root_session_id <> '';
`;
