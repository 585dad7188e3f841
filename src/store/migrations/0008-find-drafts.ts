import { SESSION_WORDS_OF_NEW } from "./0004-find.ts";

/**
 * Sessions of a draft stay in the index from the moment they get their key: many appear in one transaction, in which indexing
 * them would keep everybody waiting. What is found by the index alone is no session yet, so nobody sees them.
 */
export const findDrafts = `
CREATE TRIGGER session_index_draft AFTER INSERT ON draft_sessions BEGIN
  INSERT INTO session_index (rowid, words) VALUES (new.key, ${SESSION_WORDS_OF_NEW});
END;
DROP TRIGGER session_index_insert;
CREATE TRIGGER session_index_insert AFTER INSERT ON sessions
WHEN NOT EXISTS (SELECT 1 FROM session_index WHERE rowid = new.key) BEGIN
  INSERT INTO session_index (rowid, words) VALUES (new.key, ${SESSION_WORDS_OF_NEW});
END;
DROP TRIGGER session_index_delete;
CREATE TRIGGER session_index_delete AFTER DELETE ON sessions
WHEN NOT EXISTS (SELECT 1 FROM draft_sessions WHERE key = old.key) BEGIN
  DELETE FROM session_index WHERE rowid = old.key;
END;
-- The end of every session that is gone, and of drafts that came to nothing.
CREATE TRIGGER session_index_sweep AFTER DELETE ON removed_sessions BEGIN
  DELETE FROM session_index WHERE rowid = old.session_key;
END;
`;
