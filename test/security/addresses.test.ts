import { describe, expect, it } from "vitest";
import { createFetchUrlTool } from "../../src/tool/web/fetch-url.ts";
import { publicWeb } from "../../src/tool/web/safe-fetch.ts";
import { refuseAddress } from "../../src/tool/web/web-address.ts";
import { readWebUrl } from "../../src/tool/web/web-url.ts";
import { CLOSED_ADDRESSES, CLOSED_URLS, OPEN_ADDRESSES, REFUSED_URLS } from "./addresses.ts";

const closed = Object.entries(CLOSED_ADDRESSES).flatMap(([what, addresses]) =>
  addresses.map((address) => ({ what, address })),
);

it("holds more than sixty of each that is not fetched from", () => {
  expect(closed.length).toBeGreaterThanOrEqual(60);
  expect(CLOSED_URLS.length + REFUSED_URLS.length).toBeGreaterThanOrEqual(60);
});

describe("an address", () => {
  it.each(closed)("of $what is refused: $address", ({ address }) => {
    expect(refuseAddress(address)).toBeTypeOf("string");
  });

  it.each(OPEN_ADDRESSES)("that is public is not: %s", (address) => {
    expect(refuseAddress(address)).toBeUndefined();
  });
});

describe("a URL", () => {
  // No name is looked up and nobody is asked: an address that got through would be connected to.
  const web = { ...publicWeb, proxyFor: () => undefined, resolve: () => Promise.reject(new Error("looked up")) };
  const tool = createFetchUrlTool({ web, version: "0" });
  const context = {
    sessionId: "ses_1",
    workspace: "/",
    turnId: "turn_1",
    callId: "call_1",
    signal: new AbortController().signal,
  };
  const fetchUrl = async (url: string) => tool.run({ url }, context as never);

  it.each(CLOSED_URLS)("that names what is not public is not fetched: %j", async (url) => {
    await expect(fetchUrl(url)).rejects.toThrow(/is not fetched from: it is .*Only public hosts are/);
  });

  it.each(REFUSED_URLS)("that is none of the web is refused before anybody is asked: %j", async (url) => {
    expect(() => tool.assess({ url }, context as never)).toThrow(/URL|fetched by nobody|port/);
    await expect(fetchUrl(url)).rejects.not.toThrow("looked up");
  });

  it("is judged by the host that it really names", () => {
    expect(readWebUrl("HTTPS://EXAMPLE.com.:443/a#b").host).toBe("example.com");
    expect(readWebUrl("https://ex\u00ADample.com/").host).toBe("example.com");
    expect(readWebUrl("https://bücher.example/").host).toBe("xn--bcher-kva.example");
    expect(readWebUrl("https://[2606:4700:4700:0::1111]:8443/").host).toBe("2606:4700:4700::1111");
  });
});
