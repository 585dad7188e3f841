/** What was decided on each call, and the turns that wait for a human. */
export const gate = `
-- SHA-256 of the tool and the arguments that were decided on; empty = not yet.
ALTER TABLE tool_calls ADD COLUMN hash TEXT NOT NULL DEFAULT '';
-- What was decided, as JSON; empty = nothing.
ALTER TABLE tool_calls ADD COLUMN decision TEXT NOT NULL DEFAULT '';
-- The request by which a human was asked; empty = nobody was.
ALTER TABLE tool_calls ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
-- 1 = a human changed the arguments; its message has them as they were.
ALTER TABLE tool_calls ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;

-- How long it worked before it last began to wait.
ALTER TABLE turns ADD COLUMN worked_ms INTEGER NOT NULL DEFAULT 0;

-- The turn and the call that wait for it; empty = none.
ALTER TABLE requests ADD COLUMN turn_id TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN call_id TEXT NOT NULL DEFAULT '';
-- What is to be permitted, as JSON; NULL = nothing.
ALTER TABLE requests ADD COLUMN permission TEXT;
`;
