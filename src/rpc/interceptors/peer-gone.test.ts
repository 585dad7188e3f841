import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { isPeerGone } from "./peer-gone.ts";

const coded = (code: string, cause?: Error): Error => Object.assign(new Error("write", { cause }), { code });

test("a connection that is gone is told from what went wrong here, however deep", () => {
  expect(isPeerGone(coded("ECANCELED"))).toBe(true);
  const wrapped = new ConnectError("write", Code.Internal);
  wrapped.cause = new Error("outer", { cause: coded("ERR_HTTP2_INVALID_STREAM") });
  expect(isPeerGone(wrapped)).toBe(true);
  expect(isPeerGone(new TypeError("x is not a function"))).toBe(false);
  expect(isPeerGone(coded("ENOSPC"))).toBe(false);
  expect(isPeerGone(new ConnectError("bug", Code.Internal))).toBe(false);
  expect(isPeerGone("ECONNRESET")).toBe(false);
});

test("causes that go round in a ring are looked at once", () => {
  const [a, b] = [new Error("a"), new Error("b")];
  a.cause = b;
  b.cause = a;
  expect(isPeerGone(a)).toBe(false);
});
