/** Tokens that were given out, and what who watches all sessions needs of removed ones. */
export const tokens = `
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

-- The number of the item in its own table, which tells whether a watcher may know of it.
ALTER TABLE tombstones ADD COLUMN item_key INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tombstones_by_age ON tombstones (create_time_ms);

-- Removals up to this revision are no longer told.
ALTER TABLE engine_revision ADD COLUMN told_after INTEGER NOT NULL DEFAULT 0;
`;
