import type { ByteRange } from "../blob/blob.ts";

interface RangeHeaders {
  readonly range?: string | undefined;
  readonly "if-range"?: string | string[] | undefined;
}

/**
 * The bytes that a request asks for (RFC 9110, section 14); undefined = all of them. Several ranges, or another unit, get
 * all of them too, which every client has to take.
 */
export function readRange(
  headers: RangeHeaders,
  sizeBytes: number,
  etag: string,
): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? "");
  if (match === null || (headers["if-range"] !== undefined && headers["if-range"] !== etag)) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (first !== "" && last !== "" && Number(last) < start) return undefined;
  return start > end ? "unsatisfiable" : { start, end };
}
