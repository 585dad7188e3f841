import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createFakeClock } from "../../test/helpers/fake-clock.ts";
import { createBlobStore } from "../blob/blob-store.ts";
import { writeBytes } from "../blob/write-bytes.ts";
import { openSqlite } from "../store/sqlite.ts";
import { checkAuthor, MAX_IMAGE_BYTES, takeParts, type SaidPart } from "./said-part.ts";

const PNG = Buffer.from("\x89PNG\r\n\x1a\n0123456789", "latin1");
const GIF = Buffer.from("GIF89a......", "latin1");
const NOTHING = new Uint8Array();
const DAY_MS = 24 * 60 * 60_000;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), "parley-said-"));
  const clock = createFakeClock();
  const db = openSqlite(":memory:", clock);
  closers.push(
    () => rm(folder, { recursive: true, force: true }),
    () => db.close(),
  );
  const blobs = createBlobStore(join(folder, "blobs"), db, clock);
  const upload = async (bytes: Uint8Array, type = "application/octet-stream"): Promise<string> =>
    (await writeBytes(blobs, bytes, type)).sha256;
  const kept = async (): Promise<string[]> => readdir(join(folder, "blobs")).catch(() => []);
  return { blobs, clock, db, upload, kept, take: (...said: SaidPart[]) => takeParts(blobs, said) };
}

const image = (data: Uint8Array, hash = ""): SaidPart => ({ kind: "image", bytes: { sha256: hash, data } });
const file = (data: Uint8Array, name = "a.txt", hash = "", mediaType = ""): SaidPart => ({
  kind: "file",
  bytes: { sha256: hash, data },
  mediaType,
  name,
});

test("text is what it is, and nothing is kept for it", async () => {
  const { take, kept } = await setUp();
  const text = { kind: "text", text: "hello" } as const;
  expect(await take(text, text)).toEqual([text, text]);
  expect(await kept()).toEqual([]);
});

test("bytes become blobs, and what a picture is its bytes say", async () => {
  const { take, blobs, kept } = await setUp();
  const parts = await take(
    image(PNG),
    { kind: "text", text: "and" },
    file(Buffer.from("hi"), "Grüße 🐦.md"),
    image(GIF),
  );
  expect(parts).toEqual([
    { kind: "image", sha256: sha256(PNG), mediaType: "image/png", sizeBytes: PNG.length },
    { kind: "text", text: "and" },
    {
      kind: "file",
      sha256: sha256(Buffer.from("hi")),
      mediaType: "application/octet-stream",
      sizeBytes: 2,
      name: "Grüße 🐦.md",
    },
    { kind: "image", sha256: sha256(GIF), mediaType: "image/gif", sizeBytes: GIF.length },
  ]);
  expect((await kept()).toSorted()).toEqual([sha256(PNG), sha256(GIF), sha256(Buffer.from("hi"))].toSorted());
  expect((await blobs.get(sha256(PNG))).contentType).toBe("image/png");
});

test("an uploaded picture is shown as what it is, whatever its upload claimed", async () => {
  const { take, upload, blobs } = await setUp();
  const hash = await upload(PNG, "text/html");
  expect(await take(image(NOTHING, hash))).toMatchObject([{ mediaType: "image/png", sizeBytes: PNG.length }]);
  expect((await blobs.get(hash)).contentType).toBe("image/png");
});

test("an uploaded file is what the caller says, or else what its upload said", async () => {
  const { take, upload } = await setUp();
  const hash = await upload(Buffer.from("a,b"), "text/csv");
  expect(await take(file(NOTHING, "a", hash), file(NOTHING, "b", hash, "text/plain"))).toMatchObject([
    { mediaType: "text/csv" },
    { mediaType: "text/plain" },
  ]);
});

const big = Buffer.concat([PNG, Buffer.alloc(MAX_IMAGE_BYTES)]);

test.each<[string, SaidPart, RegExp]>([
  ["a picture that is none", image(Buffer.from("<svg/>")), /parts\[1\]\.image: the bytes are no picture/],
  ["a picture of 0 bytes", image(NOTHING), /parts\[1\]\.image: there are no bytes/],
  ["bytes and a hash", image(PNG, sha256(PNG)), /parts\[1\]\.image: give either data or sha256, not both/],
  ["a picture that is too large", image(big), /parts\[1\]\.image: the picture has \d+ bytes; make it smaller/],
  ["a hash in capitals", image(NOTHING, sha256(PNG).toUpperCase()), /parts\[1\]\.image\.sha256: .*lower-case hex/],
  ["half a hash", file(NOTHING, "a", "abc"), /parts\[1\]\.file\.sha256: .*64 digits/],
  ["a name with a folder", file(PNG, "../../etc/passwd"), /parts\[1\]\.file\.name: give a name alone/],
  ["the folder above", file(PNG, ".."), /parts\[1\]\.file\.name/],
  ["a name of two lines", file(PNG, "a\nb"), /parts\[1\]\.file\.name/],
  ["a name that turns the text around", file(PNG, "a\u202Egnp.exe"), /parts\[1\]\.file\.name/],
  ["a name with NUL", file(PNG, "a\0"), /parts\[1\]\.file\.name/],
  ["a name with half a character", file(PNG, "a\ud800"), /parts\[1\]\.file\.name/],
  ["a Windows path", file(PNG, "C:\\a.txt"), /parts\[1\]\.file\.name/],
  ["no name", file(PNG, ""), /parts\[1\]\.file\.name: it is empty/],
])("%s is refused by the name of its field, and nothing is kept of the whole message", async (_what, bad, why) => {
  const { take, kept } = await setUp();
  await expect(take(image(GIF), bad)).rejects.toMatchObject({
    reason: "INVALID_FIELD",
    message: expect.stringMatching(why) as unknown,
  });
  expect(await kept()).toEqual([]);
});

test("a blob that is not there is NOT_FOUND by its field, and nothing is kept", async () => {
  const { take, kept } = await setUp();
  const hash = sha256(Buffer.from("never uploaded"));
  await expect(take(image(GIF), file(NOTHING, "a", hash))).rejects.toMatchObject({
    code: "not_found",
    reason: "BLOB_NOT_FOUND",
    metadata: { sha256: hash, field: "parts[1].file.sha256" },
  });
  expect(await kept()).toEqual([]);
});

test("a message holds 20 pictures and no more", async () => {
  const { take, kept } = await setUp();
  await expect(take(...Array<SaidPart>(30).fill(image(PNG)))).rejects.toThrow(/parts: 30 pictures; .* at most 20/);
  expect(await kept()).toEqual([]);
  expect(await take(...Array<SaidPart>(20).fill(image(PNG)))).toHaveLength(20);
});

test("a blob of no bytes is a file, and no picture", async () => {
  const { take, upload } = await setUp();
  const hash = await upload(NOTHING);
  expect(await take(file(NOTHING, "empty", hash))).toMatchObject([{ sizeBytes: 0 }]);
  await expect(take(image(NOTHING, hash))).rejects.toThrow(/no picture/);
});

test("what is named lives on for a day from then, as if it were uploaded anew", async () => {
  const { take, upload, blobs, clock } = await setUp();
  const hash = await upload(PNG);
  await clock.advance(DAY_MS - 1000);
  await take(image(NOTHING, hash));
  await clock.advance(DAY_MS - 1000);
  await blobs.sweep();
  expect(await blobs.get(hash)).toMatchObject({ sha256: hash });
  await clock.advance(2000);
  await blobs.sweep();
  await expect(blobs.get(hash)).rejects.toMatchObject({ reason: "BLOB_NOT_FOUND" });
});

test("only a user's message holds pictures and files", () => {
  const picture = { kind: "image", sha256: sha256(PNG), mediaType: "image/png", sizeBytes: 1 } as const;
  expect(() => checkAuthor("user", [picture])).not.toThrow();
  for (const role of ["system", "assistant"] as const) {
    expect(() => checkAuthor(role, [{ kind: "text", text: "x" }, picture])).toThrow(
      /parts\[1\]: only a message of the user/,
    );
  }
});
