import type { NewId } from "../id.ts";
import type { Idempotency } from "../idempotency/idempotency.ts";
import type { EndDeps } from "./end-request.ts";
import type { Expiry } from "./expire-requests.ts";

/** What acts on requests is built from. */
export interface RequestDeps extends EndDeps {
  readonly newId: NewId;
  readonly idempotency: Idempotency;
  readonly expiry: Expiry;
}
