/**
 * What sessions and messages are found by. Triggers keep it, so that no statement that changes a row can forget to; see
 * docs/decisions.md. In both indexes words that begin with = are not of the text: a user's words never hold that sign.
 */

/** Lower-case hex of any text is one word to the tokenizer, whatever is in the text. */
const sessionWords = (row: string): string => `
  ${row}.title_folded || ' =s' || ${row}.starred || ' =p' || hex(${row}.profile) || ' =w' || hex(${row}.workspace)
    || coalesce((SELECT group_concat(' =l' || hex(key) || 'x' || hex(value), '') FROM json_each(${row}.labels)), '')`;

export const SESSION_WORDS_OF_NEW = sessionWords("new");

const changed = (...columns: readonly string[]): string =>
  columns.map((column) => `old.${column} <> new.${column}`).join(" OR ");

export const find = `
-- The words of the title, as it is found and ordered by.
ALTER TABLE sessions ADD COLUMN title_folded TEXT NOT NULL DEFAULT '';
UPDATE sessions SET title_folded = title_words(title);

CREATE INDEX sessions_by_create ON sessions (create_time_ms);
CREATE INDEX sessions_by_update ON sessions (update_time_ms);
-- As many characters as a page token can hold; further on, the order is that of making.
CREATE INDEX sessions_by_title ON sessions (substr(title_folded, 1, 160));
CREATE INDEX sessions_active ON sessions (state) WHERE state <> 'idle';

-- By key: the words of the title, and one word for each thing that is filtered by.
CREATE VIRTUAL TABLE session_index USING fts5(
  words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2 tokenchars '='", prefix='1 2 3 4 5'
);
INSERT INTO session_index (rowid, words) SELECT key, ${sessionWords("sessions")} FROM sessions;

CREATE TRIGGER session_index_insert AFTER INSERT ON sessions BEGIN
  INSERT INTO session_index (rowid, words) VALUES (new.key, ${SESSION_WORDS_OF_NEW});
END;
CREATE TRIGGER session_index_update AFTER UPDATE OF title_folded, starred, profile, workspace, labels ON sessions
WHEN ${changed("title_folded", "starred", "profile", "workspace", "labels")} BEGIN
  DELETE FROM session_index WHERE rowid = old.key;
  INSERT INTO session_index (rowid, words) VALUES (new.key, ${SESSION_WORDS_OF_NEW});
END;
CREATE TRIGGER session_index_delete AFTER DELETE ON sessions BEGIN
  DELETE FROM session_index WHERE rowid = old.key;
END;

-- Messages get a key of their own, never used twice: what is left in the index of one that is gone must not find another.
CREATE TABLE keyed_messages (
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
) STRICT;
INSERT INTO keyed_messages (id, session_key, session_id, turn_id, seq, role, status, parts, model, usage, create_time_ms)
  SELECT id, session_key, session_id, turn_id, seq, role, status, parts, model, usage, create_time_ms
  FROM messages ORDER BY rowid;
DROP TABLE messages;
ALTER TABLE keyed_messages RENAME TO messages;
CREATE INDEX messages_by_session ON messages (session_key, seq);

-- By key: the text of a message, a word for its session and one for its role. Written in the background.
CREATE VIRTUAL TABLE message_index USING fts5(
  words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2 tokenchars '='", prefix='2 3'
);

-- Messages whose index is not what they are, in the order in which that came about.
CREATE TABLE unindexed_messages (
  place INTEGER PRIMARY KEY,
  message_key INTEGER NOT NULL
) STRICT;
INSERT INTO unindexed_messages (message_key) SELECT key FROM messages WHERE status <> 'streaming' ORDER BY key;

CREATE TRIGGER message_index_insert AFTER INSERT ON messages WHEN new.status <> 'streaming' BEGIN
  INSERT INTO unindexed_messages (message_key) VALUES (new.key);
END;
CREATE TRIGGER message_index_update AFTER UPDATE OF status, parts ON messages WHEN new.status <> 'streaming' BEGIN
  INSERT INTO unindexed_messages (message_key) VALUES (new.key);
END;
CREATE TRIGGER message_index_delete AFTER DELETE ON messages WHEN old.status <> 'streaming' BEGIN
  INSERT INTO unindexed_messages (message_key) VALUES (old.key);
END;
`;
