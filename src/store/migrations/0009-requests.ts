/** What waits for a human. */
export const requests = `
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
) STRICT;
CREATE INDEX requests_by_urgency ON requests (state, priority DESC, key);
CREATE INDEX requests_by_session ON requests (session_key, state, key);
CREATE INDEX requests_by_revision ON requests (revision);
CREATE INDEX requests_by_deadline ON requests (deadline_ms) WHERE state = 'open' AND deadline_ms IS NOT NULL;
CREATE INDEX requests_by_age ON requests (forget_time_ms) WHERE forget_time_ms IS NOT NULL;

-- The humans that a session waits for, as JSON; empty = none. Of its open requests, and written with them.
ALTER TABLE sessions ADD COLUMN waiting_on TEXT NOT NULL DEFAULT '';
`;
