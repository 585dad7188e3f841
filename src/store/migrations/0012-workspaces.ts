/** What people said of folders. A folder that has sessions is a workspace without a row here, too. */
export const workspaces = `
CREATE TABLE workspaces (
  -- Absolute and without links.
  path TEXT PRIMARY KEY,
  trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),
  -- When it was first said of it.
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- With the times, so that counting the sessions of a folder reads nothing else.
CREATE INDEX sessions_by_workspace ON sessions (workspace, create_time_ms, update_time_ms) WHERE workspace <> '';
`;
