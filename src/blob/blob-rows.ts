import type { Row, Statement } from "../store/database.ts";
import type { Blob } from "./blob.ts";

export interface BlobRow extends Row {
  sha256: string;
  size_bytes: number;
  content_type: string;
}

export function selectBlob(sha256: string): Statement {
  return { sql: "SELECT sha256, size_bytes, content_type FROM blobs WHERE sha256 = ?", params: [sha256] };
}

/** The last upload says what the bytes are, and begins their time anew. */
export function insertBlob({ sha256, sizeBytes, contentType }: Blob, nowMs: number): Statement {
  return {
    sql: `INSERT INTO blobs (sha256, size_bytes, content_type, upload_time_ms) VALUES (?, ?, ?, ?)
      ON CONFLICT (sha256) DO UPDATE SET content_type = excluded.content_type, upload_time_ms = excluded.upload_time_ms`,
    params: [sha256, sizeBytes, contentType, nowMs],
  };
}

/** Begins the time of one that is there anew. Its claim is lost where it is gone. */
export function renewBlob({ sha256, contentType }: Pick<Blob, "sha256" | "contentType">, nowMs: number): Statement {
  return {
    sql: "UPDATE blobs SET content_type = ?, upload_time_ms = ? WHERE sha256 = ?",
    params: [contentType, nowMs, sha256],
    claim: "blob",
  };
}

/** Something refers to it: a message by its trigger, whoever else by rows of `blob_references`. */
const IS_WANTED = "EXISTS (SELECT 1 FROM blob_references AS r WHERE r.sha256 = blobs.sha256)";

/** Not uploaded since, and not wanted. */
export function selectBlobsBefore(uploadTimeMs: number): Statement {
  return {
    sql: `SELECT sha256, size_bytes, content_type FROM blobs
      WHERE upload_time_ms < ? AND NOT ${IS_WANTED} ORDER BY upload_time_ms`,
    params: [uploadTimeMs],
  };
}

/** Its claim is lost where it is wanted by now. */
export function deleteBlob(sha256: string, uploadTimeMs: number): Statement {
  return {
    sql: `DELETE FROM blobs WHERE sha256 = ? AND upload_time_ms < ? AND NOT ${IS_WANTED}`,
    params: [sha256, uploadTimeMs],
    claim: "unwanted blob",
  };
}

/** Keeps a blob for as long as this row is there. `owner` is the id of what wants it. */
export function referToBlob(sha256: string, owner: string): Statement {
  return { sql: "INSERT OR IGNORE INTO blob_references (sha256, owner) VALUES (?, ?)", params: [sha256, owner] };
}

/** The same taken back, for all that this owner wants. */
export function forgetReferences(owner: string): Statement {
  return { sql: "DELETE FROM blob_references WHERE owner = ?", params: [owner] };
}
