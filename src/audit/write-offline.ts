import type BetterSqlite3 from "better-sqlite3";
import type { Row, Statement } from "../store/database.ts";
import { auditEntry, type AuditDraft } from "./audit-entry.ts";
import { createSealing } from "./chain.ts";

/** Whether a store, perhaps of an older engine, has an audit log. */
export function hasAuditLog(db: BetterSqlite3.Database): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'audit_ends'").get() !== undefined;
}

/** Writes an entry into a store that no engine uses, and chains it as an engine would. */
export function writeOffline(db: BetterSqlite3.Database, draft: AuditDraft): void {
  const { select, seal } = createSealing((text) => text);
  const run = ({ sql, params }: Statement): void => void db.prepare(sql).run(params);
  db.transaction(() => {
    run(auditEntry(draft));
    const rows = db.prepare(select.sql).all(select.params) as Row[];
    for (const statement of seal(rows)) run(statement);
  })();
}
