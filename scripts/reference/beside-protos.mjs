// What the reference tells that no proto does.

/** What any method may fail with; interceptors and the port say these, so no method's comment does. */
export const COMMON_REASONS = [
  ["INVALID_FIELD", "INVALID_ARGUMENT", "any method: a field breaks its limits"],
  ["MALFORMED_REQUEST", "INVALID_ARGUMENT", "any method: the request cannot be decoded"],
  ["INVALID_PAGE_TOKEN", "INVALID_ARGUMENT", "any list: a token of another list, or one changed on the way"],
  ["TOKEN_MISSING", "UNAUTHENTICATED", "any method: no token was sent"],
  ["TOKEN_INVALID", "UNAUTHENTICATED", "any method: the token opens nothing"],
  ["SCOPE_INSUFFICIENT", "PERMISSION_DENIED", "any method: the token's scope does not allow it"],
  ["REQUEST_TOO_LARGE", "RESOURCE_EXHAUSTED", "any method: more than 4 MiB"],
  ["STORAGE_FULL", "RESOURCE_EXHAUSTED", "any method that stores: the disk is full"],
  ["STORAGE_FAILED", "UNAVAILABLE", "any method that stores: the disk refuses"],
  ["ENGINE_STOPPING", "UNAVAILABLE", "any method: the engine is about to stop"],
];

/** What is served beside the methods. */
export const PLAIN_ROUTES = [
  [
    "`POST /blobs`",
    "operate",
    "The body, at most 64 MiB, becomes a blob; its content type is kept. Answers 201 with `sha256` and `sizeBytes`. Fails with `BLOB_TOO_LARGE` (413), `STORAGE_FULL`. One that nothing refers to is removed 24 hours later.",
  ],
  [
    "`GET /blobs/{sha256}`",
    "read",
    "The blob, with ETag and byte ranges, as an attachment that no browser runs. Fails with `BLOB_NOT_FOUND`.",
  ],
  ["`GET /healthz`", "open", "`ok`: the process answers."],
  ["`GET /readyz`", "open", "`ok`: it takes work. 503 while it stops."],
];
