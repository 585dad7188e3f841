/** Messages that wait: steers for the next model call, follow-ups for the next turn. */
export const queue = `
CREATE TABLE queued_messages (
  id TEXT PRIMARY KEY,
  session_key INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  framing TEXT NOT NULL,
  position INTEGER NOT NULL,
  parts TEXT NOT NULL,
  actor TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX queued_messages_by_session ON queued_messages (session_key, kind, position);

-- Which queued message a turn was started with; tells a repeated FollowUp what became of the first.
ALTER TABLE turns ADD COLUMN queued_id TEXT NOT NULL DEFAULT '';
`;
