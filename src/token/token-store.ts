import type { Database, Row, Statement } from "../store/database.ts";
import type { Scope, Token } from "./token.ts";

interface TokenRow extends Row {
  key: number;
  id: string;
  name: string;
  scope: Scope;
  sha256: Uint8Array;
  create_time_ms: number;
  expire_time_ms: number | null;
}

/** A token with the hash of what its owner shows. */
export type HashedToken = Token & { readonly sha256: Buffer };

/** The same with its place among all that were ever given out. */
export type StoredToken = HashedToken & { readonly key: number };

function fromRow(row: TokenRow): StoredToken {
  return {
    key: row.key,
    id: row.id,
    name: row.name,
    scope: row.scope,
    sha256: Buffer.from(row.sha256),
    createTimeMs: row.create_time_ms,
    expireTimeMs: row.expire_time_ms ?? undefined,
  };
}

const IS_LIVING = "(expire_time_ms IS NULL OR expire_time_ms > ?)";

/** Living tokens given out before the one with `beforeKey` (undefined = from the newest), the newest first. */
export async function listTokensBefore(
  db: Database,
  beforeKey: number | undefined,
  limit: number,
  nowMs: number,
): Promise<StoredToken[]> {
  const rows = await db.all<TokenRow>({
    sql: `SELECT * FROM tokens WHERE key < ? AND ${IS_LIVING} ORDER BY key DESC LIMIT ?`,
    params: [beforeKey ?? Number.MAX_SAFE_INTEGER, nowMs, limit],
  });
  return rows.map(fromRow);
}

/** Its claim is lost where a living token has the name; one that has expired makes room. */
export function insertToken(token: HashedToken): readonly Statement[] {
  return [
    {
      sql: "DELETE FROM tokens WHERE lower(name) = lower(?) AND expire_time_ms <= ?",
      params: [token.name, token.createTimeMs],
    },
    {
      sql: `INSERT INTO tokens (id, name, scope, sha256, create_time_ms, expire_time_ms) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING`,
      params: [token.id, token.name, token.scope, token.sha256, token.createTimeMs, token.expireTimeMs ?? null],
      claim: "token name",
    },
  ];
}

/** Its claim is lost where there is no such living token. */
export function deleteToken(id: string, nowMs: number): Statement {
  return { sql: `DELETE FROM tokens WHERE id = ? AND ${IS_LIVING}`, params: [id, nowMs], claim: "token" };
}

export function deleteExpiredTokens(nowMs: number): Statement {
  return { sql: "DELETE FROM tokens WHERE expire_time_ms <= ?", params: [nowMs] };
}
