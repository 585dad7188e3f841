import { auditEntry } from "../audit/audit-entry.ts";
import type { Clock } from "../clock.ts";
import { DomainError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { canonicalWorkspace, resolveWorkspace, type Workspace } from "../workspace/workspace.ts";
import { findWorkspace, setTrust } from "./trust-store.ts";

export interface WorkspaceDeps {
  readonly db: Database;
  readonly clock: Clock;
}

/** A folder that is gone by now is found by its path as it is. Throws DomainError `WORKSPACE_NOT_FOUND`, `INVALID_WORKSPACE`. */
export async function getWorkspace({ db }: Pick<WorkspaceDeps, "db">, path: string): Promise<Workspace> {
  const found = await findWorkspace(db, await canonicalWorkspace(path, "path"));
  if (found !== undefined) return found;
  const message = "path: no session belongs to this folder, and nobody has said whether it is trusted";
  throw new DomainError("not_found", "WORKSPACE_NOT_FOUND", message, { field: "path" });
}

/**
 * Says whether what a folder's files tell an agent may be believed. Trust can be taken from a folder that is gone by now, and
 * given to none. Throws DomainError `INVALID_WORKSPACE`.
 */
export async function setWorkspaceTrust(
  deps: WorkspaceDeps,
  { path, trusted, actor }: { readonly path: string; readonly trusted: boolean; readonly actor: string },
): Promise<Workspace> {
  const known = trusted ? undefined : await findWorkspace(deps.db, await canonicalWorkspace(path, "path"));
  const canonical = known?.path ?? (await resolveWorkspace(path, "path"));
  const timeMs = deps.clock.now();
  const detail = { trusted };
  const entry = auditEntry({ action: "WORKSPACE_TRUST_SET", timeMs, actor, target: canonical, detail });
  await deps.db.transact([setTrust(canonical, trusted, timeMs), entry]);
  return getWorkspace(deps, canonical);
}
