import { createHash } from "node:crypto";
import { DomainError } from "../errors.ts";

/** A page ends once it is larger than this: with one item more, of 1 MiB at most, every client can still take it. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** How a list is read: always from a place on, never from a count, so that what is added meanwhile moves nothing. */
export interface PagedList<T> {
  readonly scope: PageScope;
  readonly defaultSize: number;
  readonly maxSize: number;
  /** At most `limit` items after the one at `place` (undefined = from the beginning); fewer where they would be too large. */
  read(place: number | undefined, limit: number): Promise<readonly T[]>;
  placeOf(item: T): number;
}

/** How many items a request asks for: 0 is the default, more than may be is lowered. */
export function pageSizeOf(pageSize: number, list: Pick<PagedList<never>, "defaultSize" | "maxSize">): number {
  return pageSize === 0 ? list.defaultSize : Math.min(pageSize, list.maxSize);
}

/**
 * Reads the page that a request asks for; a size of 0 is the default, one too large is lowered. Throws DomainError
 * `INVALID_PAGE_TOKEN`.
 */
export async function readPage<T>(
  list: PagedList<T>,
  request: { readonly pageSize: number; readonly pageToken: string },
): Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }> {
  const size = pageSizeOf(request.pageSize, list);
  const items = await list.read(fromPageToken(list.scope, request.pageToken), size);
  const last = items.at(-1);
  if (last === undefined) return { items, nextPageToken: "" };
  const place = list.placeOf(last);
  const next = await list.read(place, 1);
  return { items, nextPageToken: next.length === 0 ? "" : toPageToken(list.scope, place) };
}

/** Where a page begins, and which list it belongs to: a token is good only for the arguments it was made with. */
interface PageScope {
  readonly method: string;
  readonly args: readonly string[];
}

/** Opaque to clients. `place` is the key of the last item of the page. */
export function toPageToken(scope: PageScope, place: number): string {
  return Buffer.from(`${place}.${digest(scope, String(place))}`).toString("base64url");
}

/** Undefined for the first page. Throws DomainError `INVALID_PAGE_TOKEN` for a forged or foreign token. */
function fromPageToken(scope: PageScope, token: string): number | undefined {
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
