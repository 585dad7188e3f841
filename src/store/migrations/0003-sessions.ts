/** Where a session belongs and comes from, and the number of its last change in the whole engine, for who watches them all. */
export const sessions = `
ALTER TABLE sessions ADD COLUMN workspace TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN forked_from TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- One row: the last revision that was given out.
CREATE TABLE engine_revision (
  value INTEGER NOT NULL
) STRICT;
INSERT INTO engine_revision (value) VALUES (1);
UPDATE sessions SET revision = 1;
CREATE INDEX sessions_by_revision ON sessions (revision);

-- What was removed, for who watches from a revision before it.
CREATE TABLE tombstones (
  revision INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT;
`;
