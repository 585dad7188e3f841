import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { blobNotFound, type Blob } from "../../blob/blob.ts";
import type { Message, Part, Role } from "../../message/message.ts";
import type { ModelMessage } from "../../model/model.ts";
import { showAttachments } from "./shown-attachments.ts";

const MIB = 1024 * 1024;

/** A store of these bytes that counts how often one is read. */
function storeOf(...contents: readonly Buffer[]) {
  const bytes = new Map(contents.map((one) => [createHash("sha256").update(one).digest("hex"), one]));
  let reads = 0;
  const find = (sha256: string): Buffer => {
    const found = bytes.get(sha256);
    if (found === undefined) throw blobNotFound(sha256);
    return found;
  };
  return {
    reads: () => reads,
    hashes: [...bytes.keys()],
    blobs: {
      get: async (sha256: string): Promise<Blob> => ({ sha256, sizeBytes: find(sha256).length, contentType: "" }),
      read: async ({ sha256 }: Pick<Blob, "sha256">) => {
        reads++;
        return Readable.from([find(sha256)]);
      },
    },
  };
}

let count = 0;
function messageOf(role: Role, ...parts: readonly Part[]): Message {
  const id = `msg_${++count}`;
  const base = {
    sessionId: "ses_1",
    turnId: "",
    status: "complete",
    model: "",
    usage: undefined,
    createTimeMs: 0,
  } as const;
  return { id, ...base, role, parts };
}
const imageOf = (sha256: string, sizeBytes = 9) =>
  ({ kind: "image", sha256, mediaType: "image/png", sizeBytes }) as const;
const fileOf = (sha256: string, name: string, sizeBytes = 9) =>
  ({ kind: "file", sha256, mediaType: "text/plain", sizeBytes, name }) as const;
const wordsOf = (message: ModelMessage | undefined): string =>
  (message?.parts ?? []).map((part) => (part.kind === "text" ? part.text : `<${part.kind}>`)).join("");

test("a conversation without pictures and files is the same list, and no blob is looked at", async () => {
  const { blobs, reads } = storeOf();
  const messages = [
    messageOf("user", { kind: "text", text: "hi" }),
    messageOf("assistant", { kind: "text", text: "ho" }),
  ];
  expect(await showAttachments(blobs, messages)).toBe(messages);
  expect(reads()).toBe(0);
});

test("a picture is read when the model is sent it, each time anew, and not before", async () => {
  const picture = Buffer.from("a picture");
  const { blobs, reads, hashes } = storeOf(picture);
  const [shown] = await showAttachments(blobs, [messageOf("user", imageOf(hashes[0]!))]);
  const [part] = shown?.parts ?? [];
  expect(reads()).toBe(0);
  const read = part?.kind === "image" ? [await part.bytes(), await part.bytes()] : [];
  expect(read).toEqual([picture, picture]);
  expect(reads()).toBe(2);
});

test("what is missing from the store is told, and never fails a call", async () => {
  const { blobs } = storeOf();
  const gone = "0".repeat(64);
  const call = { kind: "tool_result", callId: "c", outcome: "succeeded", text: "a.png: a picture" } as const;
  const shown = await showAttachments(blobs, [
    messageOf("user", { kind: "text", text: "look" }, imageOf(gone), fileOf(gone, "a.txt")),
    messageOf("tool", { ...call, images: [imageOf(gone)] }),
  ]);
  expect(wordsOf(shown[0])).toBe(
    "look\n[a picture, image/png, 9 bytes: its bytes are not here]\n\n[the file a.txt, text/plain, 9 bytes: its bytes are not here]\n",
  );
  expect(shown[1]?.parts).toEqual([
    { ...call, images: [], text: "a.png: a picture\n[a picture, image/png, 9 bytes: its bytes are not here]\n" },
  ]);
});

test("of many pictures the newest 50 are sent, those of tools among them", async () => {
  const { blobs, hashes } = storeOf(Buffer.from("a picture"));
  const image = imageOf(hashes[0]!);
  const result = { kind: "tool_result", callId: "c", outcome: "succeeded", text: "r", images: [image] } as const;
  const messages = [...Array.from({ length: 60 }, () => messageOf("user", image)), messageOf("tool", result)];
  const shown = await showAttachments(blobs, messages);
  const sent = shown.map(
    ({ parts: [part] }) => part?.kind === "image" || (part?.kind === "tool_result" && part.images?.length === 1),
  );
  expect(sent).toEqual(Array.from({ length: 61 }, (_, i) => i >= 11));
  expect(wordsOf(shown[10])).toContain("not sent again");
});

test("pictures together are at most 20 MiB, and a smaller older one may still fit", async () => {
  const { blobs, hashes } = storeOf(Buffer.from("a picture"));
  const sizes = [1 * MIB, 5 * MIB, 5 * MIB, 5 * MIB, 4 * MIB];
  const shown = await showAttachments(
    blobs,
    sizes.map((size) => messageOf("user", imageOf(hashes[0]!, size))),
  );
  expect(shown.map(({ parts: [part] }) => part?.kind)).toEqual(["image", "image", "image", "image", "image"]);
  const more = await showAttachments(
    blobs,
    [2 * MIB, ...sizes].map((size) => messageOf("user", imageOf(hashes[0]!, size))),
  );
  expect(more.map(({ parts: [part] }) => part?.kind)).toEqual(["text", "image", "image", "image", "image", "image"]);
});

test("text of files is at most 256 KiB of one and 1 MiB of a message", async () => {
  const text = Buffer.alloc(256 * 1024, "x");
  const larger = Buffer.alloc(256 * 1024 + 1, "y");
  const { blobs, hashes } = storeOf(text, larger);
  const files = Array.from({ length: 5 }, (_, i) => fileOf(hashes[0]!, `f${i}`, text.length));
  const [shown] = await showAttachments(blobs, [
    messageOf("user", fileOf(hashes[1]!, "larger", larger.length), ...files),
  ]);
  const told = (shown?.parts ?? []).map((part) =>
    part.kind === "text" && part.text.includes("follows]") ? "sent" : "named",
  );
  expect(told).toEqual(["named", "sent", "sent", "sent", "sent", "named"]);
});

test("what is no text is named", async () => {
  const { blobs, hashes } = storeOf(Buffer.from([0xff, 0xfe]), Buffer.from("a\0b"));
  const [shown] = await showAttachments(blobs, [messageOf("user", ...hashes.map((hash) => fileOf(hash, "f", 2)))]);
  expect(wordsOf(shown).match(/: not text\]/g)).toHaveLength(2);
});
