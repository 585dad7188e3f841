import { describe, expect, it } from "vitest";
import { readPage, toPageToken, type PagedList, type Place } from "./page.ts";

const TITLE = `"\u{1F426}:.\u0000 ${"日".repeat(150)}`;

function listOf<P extends Place>(
  places: readonly P[],
  args: readonly string[] = ["a"],
): PagedList<P, P> & { reads: number[] } {
  const reads: number[] = [];
  return {
    reads,
    scope: { method: "List", args },
    defaultSize: 2,
    maxSize: 3,
    read: async (after, limit) => {
      reads.push(limit);
      const from = after === undefined ? 0 : places.findIndex((place) => String(place) === String(after)) + 1;
      return places.slice(from, from + limit);
    },
    placeOf: (place) => place,
  };
}

async function allPages<P extends Place>(list: PagedList<P, P>, pageSize: number): Promise<(readonly P[])[]> {
  const pages: (readonly P[])[] = [];
  let pageToken = "";
  do {
    const page = await readPage(list, { pageSize, pageToken });
    pages.push(page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}

describe("pages", () => {
  it.each([
    ["numbers", [5, 4, 3, 2, 1]],
    ["numbers and keys", [[9, 5] as const, [9, 4] as const, [-8.5, 3] as const, [0, 2] as const, [1.7e12, 1] as const]],
    [
      "texts and keys",
      [["", 1] as const, ["", 2] as const, ["a", 3] as const, ["a:b.c", 4] as const, [TITLE, 5] as const],
    ],
  ])("come back to their place among %s", async (_name, places) => {
    expect(await allPages<Place>(listOf<Place>(places), 1)).toEqual(places.map((place) => [place]));
    expect(await allPages<Place>(listOf<Place>(places), 0)).toEqual([
      places.slice(0, 2),
      places.slice(2, 4),
      places.slice(4),
    ]);
    expect(await allPages<Place>(listOf<Place>(places), 99)).toEqual([places.slice(0, 3), places.slice(3)]);
  });

  it("are read once where there are more", async () => {
    const list = listOf([3, 2, 1]);
    await readPage(list, { pageSize: 2, pageToken: "" });
    expect(list.reads).toEqual([3]);
  });

  it("of an empty list are none", async () => {
    expect(await readPage(listOf<number>([]), { pageSize: 2, pageToken: "" })).toEqual({
      items: [],
      nextPageToken: "",
    });
  });

  it("go on where one ended because it would be too large", async () => {
    const list = { ...listOf([4, 3, 2, 1]) };
    const read = list.read;
    list.read = async (after, limit) => (await read(after, limit)).slice(0, 1);
    expect(await allPages(list, 3)).toEqual([[4], [3], [2], [1]]);
  });
});

describe("a page token", () => {
  const list = listOf<Place>([
    [1.5, 1],
    ["x", 2],
    [3, 3],
  ]);
  const own = toPageToken(list.scope, [1.5, 1]);

  it("fits where tokens have their bound, whatever the title", () => {
    expect(toPageToken(list.scope, ["\u{1F426}".repeat(160), Number.MAX_SAFE_INTEGER]).length).toBeLessThan(1024);
  });

  it.each([
    ["of other arguments", toPageToken({ method: "List", args: ["b"] }, [1.5, 1])],
    ["of another method", toPageToken({ method: "Other", args: ["a"] }, [1.5, 1])],
    ["with arguments run together", toPageToken({ method: "Lista", args: [] }, [1.5, 1])],
    ["with padding", `${own}==`],
    ["in the other alphabet", `${own}+/`],
    ["with a space", `${own} `],
    ["cut off", own.slice(0, -1)],
    ["with something behind it", `${own}AAAA`],
    ["with its unused bits set", withUnusedBits(toPageToken(list.scope, 1))],
    ["made up", Buffer.from("AAAAAAAAAAAA.1").toString("base64url")],
    ["without a dot", Buffer.from("1").toString("base64url")],
    ["that is no base64", "\u{1F426}"],
  ])("%s is refused", async (_what, pageToken) => {
    const refused = { code: "invalid", reason: "INVALID_PAGE_TOKEN", metadata: { field: "page_token" } };
    await expect(readPage(list, { pageSize: 1, pageToken })).rejects.toMatchObject(refused);
  });
});

/** Decodes to the same bytes: 14 of them end in a character of which two bits count. */
function withUnusedBits(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(token.slice(-1));
  const changed = token.slice(0, -1) + alphabet.charAt(last + 1);
  expect(Buffer.from(changed, "base64url")).toEqual(Buffer.from(token, "base64url"));
  return changed;
}
