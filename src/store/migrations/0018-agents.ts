/** Agents that start others, and what their turns may use beyond their limits. */
export const agents = `
-- What is kept of the definition that a session was made by, as JSON; empty = none.
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE draft_sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';

-- The session, turn and call that started a session, and wait for it, and the first in the chain of those; empty = none.
ALTER TABLE sessions ADD COLUMN parent_session_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN parent_turn_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN parent_call_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN root_session_id TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_by_root ON sessions (root_session_id) WHERE root_session_id <> '';
CREATE INDEX sessions_by_parent ON sessions (parent_session_id, key) WHERE parent_session_id <> '';

-- What humans granted a turn on top of its limits, and the request that asks them for more; empty = none.
ALTER TABLE turns ADD COLUMN granted_steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN granted_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN granted_time_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN limit_request_id TEXT NOT NULL DEFAULT '';
-- Whether what it waited for has come since its last step began: it goes on then, also after a restart.
ALTER TABLE turns ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;

-- The session at the root of the one that asks; empty = that one itself. Its log tells of the request, too.
ALTER TABLE requests ADD COLUMN root_session_id TEXT NOT NULL DEFAULT '';
-- Whether the root's log has told that it was opened, and whether it has something to tell that it has not.
ALTER TABLE requests ADD COLUMN root_knows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN root_untold INTEGER NOT NULL DEFAULT 0;
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
`;
