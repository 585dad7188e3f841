import { DomainError } from "../../errors.ts";
import type { Database, Statement } from "../../store/database.ts";

/** What came of an import. */
export interface Imported {
  readonly sessionCount: number;
  readonly messageCount: number;
  /** The first of those whose id was taken. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  /** The first ids, in the order of the file. */
  readonly sessionIds: readonly string[];
}

export function insertImport(id: string, imported: Imported, nowMs: number): Statement {
  return {
    sql: "INSERT INTO imports (id, result, create_time_ms) VALUES (?, ?, ?)",
    params: [id, JSON.stringify(imported), nowMs],
  };
}

/** Throws DomainError `IMPORT_FORGOTTEN`. */
export async function findImport(db: Database, id: string): Promise<Imported> {
  const row = await db.get<{ result: string }>({ sql: "SELECT result FROM imports WHERE id = ?", params: [id] });
  if (row !== undefined) return JSON.parse(row.result) as Imported;
  throw new DomainError("not_found", "IMPORT_FORGOTTEN", "what this idempotency_key stood for is no longer kept");
}

/** As old as no key is that names one. */
const KEEP_MS = 25 * 60 * 60_000;

export function forgetOldImports(nowMs: number): Statement {
  return { sql: "DELETE FROM imports WHERE create_time_ms < ?", params: [nowMs - KEEP_MS] };
}
