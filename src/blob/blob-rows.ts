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

/** Not uploaded since. */
export function selectBlobsBefore(uploadTimeMs: number): Statement {
  return {
    sql: "SELECT sha256, size_bytes, content_type FROM blobs WHERE upload_time_ms < ? ORDER BY upload_time_ms",
    params: [uploadTimeMs],
  };
}

export function deleteBlob(sha256: string, uploadTimeMs: number): Statement {
  return { sql: "DELETE FROM blobs WHERE sha256 = ? AND upload_time_ms < ?", params: [sha256, uploadTimeMs] };
}
