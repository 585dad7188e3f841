import type { Database, Row, Statement } from "../store/database.ts";
import type { Workspace } from "../workspace/workspace.ts";

interface WorkspaceRow extends Row {
  path: string;
  trusted: number;
  session_count: number;
  create_time_ms: number;
  use_time_ms: number | null;
}

/** Of what `paths` selects: each with what its sessions and people say of it. */
const SELECT = `SELECT paths.path AS path, ifnull(w.trusted, 0) AS trusted,
    (SELECT count(*) FROM sessions AS s WHERE s.workspace = paths.path AND s.workspace <> '') AS session_count,
    (SELECT max(s.update_time_ms) FROM sessions AS s WHERE s.workspace = paths.path AND s.workspace <> '') AS use_time_ms,
    min(
      ifnull(w.create_time_ms, 9e15),
      ifnull((SELECT min(s.create_time_ms) FROM sessions AS s WHERE s.workspace = paths.path AND s.workspace <> ''), 9e15)
    ) AS create_time_ms
  FROM paths LEFT JOIN workspaces AS w ON w.path = paths.path`;

function fromRow(row: WorkspaceRow): Workspace {
  return {
    path: row.path,
    trusted: row.trusted === 1,
    sessionCount: row.session_count,
    createTimeMs: row.create_time_ms,
    useTimeMs: row.use_time_ms ?? undefined,
  };
}

/** Those after a path, by path; both halves stop at the limit, so that a page reads no more than a page. */
export async function listWorkspacesAfter(db: Database, path: string, limit: number): Promise<Workspace[]> {
  const rows = await db.all<WorkspaceRow>({
    sql: `WITH RECURSIVE
      used (path) AS (
        SELECT min(workspace) FROM sessions WHERE workspace > ? AND workspace <> ''
        UNION ALL
        SELECT (SELECT min(workspace) FROM sessions WHERE workspace > used.path AND workspace <> '')
        FROM used WHERE used.path IS NOT NULL LIMIT ?
      ),
      said (path) AS (SELECT path FROM workspaces WHERE path > ? ORDER BY path LIMIT ?),
      paths (path) AS (SELECT path FROM used WHERE path IS NOT NULL UNION SELECT path FROM said ORDER BY path LIMIT ?)
      ${SELECT} ORDER BY paths.path`,
    params: [path, limit, path, limit, limit],
  });
  return rows.map(fromRow);
}

/** Undefined where no session belongs to the folder and nobody said anything of it. */
export async function findWorkspace(db: Database, path: string): Promise<Workspace | undefined> {
  const row = await db.get<WorkspaceRow>({
    sql: `WITH paths (path) AS (
        SELECT ? WHERE EXISTS (SELECT 1 FROM workspaces WHERE path = ?)
          OR EXISTS (SELECT 1 FROM sessions WHERE workspace = ? AND workspace <> '')
      ) ${SELECT}`,
    params: [path, path, path],
  });
  return row === undefined ? undefined : fromRow(row);
}

/** Whether a human has said that a canonical folder may be believed. */
export async function isTrusted(db: Database, path: string): Promise<boolean> {
  const row = await db.get<{ trusted: number }>({
    sql: "SELECT trusted FROM workspaces WHERE path = ?",
    params: [path],
  });
  return row?.trusted === 1;
}

export function setTrust(path: string, trusted: boolean, nowMs: number): Statement {
  return {
    sql: `INSERT INTO workspaces (path, trusted, create_time_ms) VALUES (?, ?, ?)
      ON CONFLICT (path) DO UPDATE SET trusted = excluded.trusted`,
    params: [path, trusted ? 1 : 0, nowMs],
  };
}
