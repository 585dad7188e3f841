/** The audit log. An entry is never changed once it is sealed, and none goes but through the anchor. */
export const audit = `
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

-- What the first entry follows (anchor), and the last one (head). Without entries both are the same.
CREATE TABLE audit_ends (
  name TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_ends (name, seq, hash) VALUES ('anchor', 0, zeroblob(32)), ('head', 0, zeroblob(32));

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit_entries WHEN old.hash IS NOT NULL BEGIN
  SELECT raise(ABORT, 'an entry of the audit log is never changed');
END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit_entries
  WHEN old.seq > (SELECT seq FROM audit_ends WHERE name = 'anchor') BEGIN
  SELECT raise(ABORT, 'an entry of the audit log is removed only by moving the anchor');
END;
`;
