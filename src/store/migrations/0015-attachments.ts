/** What keeps blobs, and the lists that agents keep of what they have to do. */

/** The blobs that the parts of a message name: its pictures and files, and what tools gave it. */
const named = (row: string): string => `
  SELECT json_extract(value, '$.sha256') AS sha256 FROM json_each(${row}.parts)
    WHERE json_extract(value, '$.kind') IN ('image', 'file')
  UNION SELECT json_extract(image.value, '$.sha256') FROM json_each(${row}.parts) AS part, json_each(part.value, '$.images') AS image
    WHERE json_extract(part.value, '$.kind') = 'tool_result'
  UNION SELECT json_extract(value, '$.blob') FROM json_each(${row}.parts)
    WHERE json_extract(value, '$.kind') = 'tool_result' AND json_extract(value, '$.blob') IS NOT NULL`;

const holds = (name: string): string => `instr(new.parts, '"${name}":"') > 0`;

/** Most messages name none, and are asked nothing more; a model's, which are most of what is written, not even that. */
const NAMES_ANY = {
  messages: `CASE new.role WHEN 'user' THEN ${holds("sha256")}
    WHEN 'tool' THEN ${holds("sha256")} OR ${holds("blob")} ELSE 0 END`,
  queued_messages: holds("sha256"),
} as const;

const refer = (row: string): string =>
  `INSERT OR IGNORE INTO blob_references (sha256, owner) SELECT sha256, ${row}.id FROM (${named(row)});`;

const forget = (row: string): string => `DELETE FROM blob_references WHERE owner = ${row}.id;`;

const triggersOf = (table: keyof typeof NAMES_ANY): string => `
CREATE TRIGGER ${table}_refer AFTER INSERT ON ${table} WHEN ${NAMES_ANY[table]} BEGIN
  ${refer("new")}
END;
CREATE TRIGGER ${table}_refer_anew AFTER UPDATE OF parts ON ${table}
WHEN ${NAMES_ANY[table]} OR EXISTS (SELECT 1 FROM blob_references WHERE owner = new.id) BEGIN
  ${forget("new")}
  ${refer("new")}
END;
CREATE TRIGGER ${table}_forget AFTER DELETE ON ${table} BEGIN
  ${forget("old")}
END;`;

export const attachments = `
-- A blob is kept while one of these names it, whether it is there yet or not. The owner is the id of a message, or of whatever
-- else wants it.
CREATE TABLE blob_references (
  owner TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (owner, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_references_by_blob ON blob_references (sha256);

-- No statement that writes or removes a message can forget them.
${triggersOf("messages")}
${triggersOf("queued_messages")}

-- Each list as it was from this number of the log on: the last one is in force, and a history that is cut goes back to the one before.
CREATE TABLE todo_lists (
  session_key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  items TEXT NOT NULL,
  PRIMARY KEY (session_key, seq)
) STRICT, WITHOUT ROWID;
`;
