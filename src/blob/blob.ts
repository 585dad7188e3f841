import { DomainError } from "../errors.ts";

/** The most bytes of one blob. Larger files are uploaded in pieces where what takes them allows it, as an import does. */
export const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/** An uploaded file; its name is the hash of its bytes. */
export interface Blob {
  /** SHA-256 in lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** As it was uploaded; a claim of the uploader, not a fact. */
  readonly contentType: string;
}

/** A run of a blob's bytes; both ends belong to it. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What may stand in a header as it is; anything else is bytes. */
export function checkedContentType(given: string | undefined): string {
  const isPlain =
    given !== undefined && given.length <= 200 && /^[\w.+-]+\/[\w.+-]+(?:; ?[\w.+-]+=[\w.+-]+)*$/.test(given);
  return isPlain ? given : "application/octet-stream";
}

/** `field` is the one that names it; empty = a path. */
export function blobNotFound(sha256: string, field = ""): DomainError {
  const where = field === "" ? "" : `${field}: `;
  return new DomainError(
    "not_found",
    "BLOB_NOT_FOUND",
    `${where}there is no blob ${sha256}; upload it with POST /blobs (what nothing refers to is removed a day later)`,
    { sha256, ...(field !== "" && { field }) },
  );
}

export function blobTooLarge(): DomainError {
  return new DomainError(
    "invalid",
    "BLOB_TOO_LARGE",
    `a blob holds at most ${MAX_BLOB_BYTES} bytes; upload the file in pieces`,
    { max_bytes: String(MAX_BLOB_BYTES) },
  );
}
