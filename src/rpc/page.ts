import { createHash } from "node:crypto";
import { DomainError } from "../errors.ts";

/** How many a page holds: what is asked for, within bounds. Asking for less than none was refused before. */
export function pageSize(requested: number, defaultSize: number, maxSize: number): number {
  return requested === 0 ? defaultSize : Math.min(requested, maxSize);
}

/** Where a page begins, and which list it belongs to: a token is good only for the arguments it was made with. */
export interface PageScope {
  readonly method: string;
  readonly args: readonly string[];
}

/** Opaque to clients. `place` is the key of the last item of the page. */
export function toPageToken(scope: PageScope, place: number): string {
  return Buffer.from(`${place}.${digest(scope, String(place))}`).toString("base64url");
}

/** Undefined for the first page. Throws DomainError `INVALID_PAGE_TOKEN` for a forged or foreign token. */
export function fromPageToken(scope: PageScope, token: string): number | undefined {
  if (token === "") return undefined;
  const [place = "", mark = ""] = Buffer.from(token, "base64url").toString().split(".");
  if (/^\d{1,15}$/.test(place) && mark === digest(scope, place)) return Number(place);
  throw new DomainError(
    "invalid",
    "INVALID_PAGE_TOKEN",
    "page_token is not one that this method gave for these arguments; begin again without it",
    { field: "page_token" },
  );
}

/** Catches mistakes, not attacks: a token opens nothing that its caller may not read anyway. */
function digest({ method, args }: PageScope, place: string): string {
  return createHash("sha256")
    .update(JSON.stringify([method, ...args, place]))
    .digest("base64url")
    .slice(0, 12);
}

/** One item more was read than asked for; its presence says that there is another page. */
export function cutPage<T>(
  items: readonly T[],
  size: number,
): { readonly page: readonly T[]; readonly hasMore: boolean } {
  return { page: items.slice(0, size), hasMore: items.length > size };
}
