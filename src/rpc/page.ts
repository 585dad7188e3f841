import { createHash } from "node:crypto";
import { DomainError } from "../errors.ts";

/** A page ends once it is larger than this: with one item more, of 1 MiB at most, every client can still take it. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** Where an item stands in its list: a number of its own, or what it is ordered by and, where that is the same, a number. */
export type Place = number | readonly [orderedBy: number | string, key: number];

/** How a list is read: always from a place on, never from a count, so that what is added meanwhile moves nothing. */
export interface PagedList<T, P extends Place = number> {
  readonly scope: PageScope;
  readonly defaultSize: number;
  readonly maxSize: number;
  /** At most `limit` items after the one at `place` (undefined = from the beginning); fewer where they would be too large. */
  read(place: P | undefined, limit: number): Promise<readonly T[]>;
  placeOf(item: T): P;
}

/** How many items a request asks for: 0 is the default, more than may be is lowered. */
export function pageSizeOf(pageSize: number, list: Pick<PagedList<never>, "defaultSize" | "maxSize">): number {
  return pageSize === 0 ? list.defaultSize : Math.min(pageSize, list.maxSize);
}

/**
 * Reads the page that a request asks for; a size of 0 is the default, one too large is lowered. Throws DomainError
 * `INVALID_PAGE_TOKEN`.
 */
export async function readPage<T, P extends Place = number>(
  list: PagedList<T, P>,
  request: { readonly pageSize: number; readonly pageToken: string },
): Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }> {
  const size = pageSizeOf(request.pageSize, list);
  const found = await list.read(fromPageToken(list.scope, request.pageToken) as P | undefined, size + 1);
  const items = found.slice(0, size);
  const last = items.at(-1);
  if (last === undefined) return { items, nextPageToken: "" };
  const place = list.placeOf(last);
  // Fewer than were asked for: that is the end, or they are too large for one page.
  const hasMore = found.length > size || (await list.read(place, 1)).length > 0;
  return { items, nextPageToken: hasMore ? toPageToken(list.scope, place) : "" };
}

/** Where a page begins, and which list it belongs to: a token is good only for the arguments it was made with. */
interface PageScope {
  readonly method: string;
  readonly args: readonly string[];
}

/** Opaque to clients. `place` is that of the last item of the page. */
export function toPageToken(scope: PageScope, place: Place): string {
  const text = placeToText(place);
  return Buffer.from(`${digest(scope, text)}.${text}`).toString("base64url");
}

/** Undefined for the first page. Throws DomainError `INVALID_PAGE_TOKEN` for a forged or foreign token. */
function fromPageToken(scope: PageScope, token: string): Place | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const [mark = "", text = ""] = splitOnce(bytes.toString(), ".");
  // What decodes to the same bytes may still not be what was given. The mark says that this list wrote the place.
  if (bytes.toString("base64url") === token && mark === digest(scope, text)) return placeFromText(text);
  throw new DomainError(
    "invalid",
    "INVALID_PAGE_TOKEN",
    "page_token is not one that this method gave for these arguments; begin again without it",
    { field: "page_token" },
  );
}

/** `12`, `12:n1700000000000` or `12:sa title`: short, since a token has its bound, and titles have none of their own signs. */
function placeToText(place: Place): string {
  if (typeof place === "number") return String(place);
  const [orderedBy, key] = place;
  return `${key}:${typeof orderedBy === "number" ? "n" : "s"}${orderedBy}`;
}

function placeFromText(text: string): Place {
  const [key = "", orderedBy] = splitOnce(text, ":");
  if (orderedBy === undefined) return Number(key);
  const value = orderedBy.slice(1);
  return [orderedBy.startsWith("n") ? Number(value) : value, Number(key)];
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Catches mistakes, not attacks: a token opens nothing that its caller may not read anyway. */
function digest({ method, args }: PageScope, place: string): string {
  return createHash("sha256")
    .update(JSON.stringify([method, ...args, place]))
    .digest("base64url")
    .slice(0, 12);
}
