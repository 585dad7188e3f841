import { DomainError } from "../errors.ts";
import type { Database, Statement } from "../store/database.ts";
import type { Revert } from "./revert.ts";

export function insertRevert(id: string, sessionKey: number, revert: Revert, nowMs: number): Statement {
  return {
    sql: "INSERT INTO reverts (id, session_key, result, create_time_ms) VALUES (?, ?, ?, ?)",
    params: [id, sessionKey, JSON.stringify(revert), nowMs],
  };
}

/** Throws DomainError `REVERT_FORGOTTEN`. */
export async function findRevert(db: Database, id: string): Promise<Revert> {
  const row = await db.get<{ result: string }>({ sql: "SELECT result FROM reverts WHERE id = ?", params: [id] });
  if (row !== undefined) return JSON.parse(row.result) as Revert;
  throw new DomainError("not_found", "REVERT_FORGOTTEN", "what this idempotency_key stood for is no longer kept");
}

/** As old as no key is that names one. */
const KEEP_MS = 25 * 60 * 60_000;

export function forgetOldReverts(nowMs: number): Statement {
  return { sql: "DELETE FROM reverts WHERE create_time_ms < ?", params: [nowMs - KEEP_MS] };
}
