/** Histories that are cut: what is gone of a log before its rows are, and what a cut has to tell again. */
export const history = `
-- Events that are never read again, and whose rows are still being removed. Both ends belong to the range.
CREATE TABLE removed_ranges (
  session_key INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  PRIMARY KEY (session_key, from_seq)
) STRICT, WITHOUT ROWID;

-- The number of its turn_ended, which stays when its last messages go. 0 = it runs, or ended before this was recorded.
ALTER TABLE turns ADD COLUMN end_seq INTEGER NOT NULL DEFAULT 0;

-- The number of its last message_updated; 0 = it never changed.
ALTER TABLE messages ADD COLUMN updated_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_updated ON messages (session_key, updated_seq) WHERE updated_seq > 0;
`;
