import { expect, test } from "vitest";
import type { Subject } from "../tool/tool.ts";
import { wordsFor, type Told } from "./permission-words.ts";

function words(told: Partial<Told>, subjects: readonly Subject[] = []) {
  const decision = { risk: { level: "safe", reason: "it is known" }, reason: "it is known", subjects } as const;
  return wordsFor({ tool: "shell", arguments: {}, workspace: "/work", decision, isDiffCut: false, ...told });
}

const path = (name: string, access: "read" | "write"): Subject => ({ kind: "path", access, path: name, given: name });

test("a title says what will happen: the command, the files, the host, or the whole call", () => {
  expect(words({ arguments: { command: "git push" } }).title).toBe("Run: git push");
  expect(words({ tool: "edit_file" }, [path("/work/a/b.md", "write")]).title).toBe("edit_file: change a/b.md");
  expect(words({ tool: "read_file" }, [path("/etc/x", "read")]).title).toBe("read_file: read /etc/x");
  expect(words({ tool: "fetch_url" }, [{ kind: "host", host: "example.com" }]).title).toBe(
    "fetch_url: open a connection to example.com",
  );
  expect(words({ tool: "other", arguments: { a: 1 } }).title).toBe('other {"a":1}');
});

test("a title is one line of bounded length, and shows what would be obeyed or not be seen", () => {
  const { title } = words({ arguments: { command: "a\n\u202Eb\u001B[2J\u200B" } });
  expect(title).toBe("Run: a⏎\\u{202e}b\\u{1b}[2J\\u{200b}");
  expect(Array.from(words({ arguments: { command: "é😀".repeat(5000) } }).title).length).toBeLessThanOrEqual(500);
});

test("the body holds the command as it is, in a block that it cannot end", () => {
  const { body } = words({ arguments: { command: "cat <<'```'\n````\nx", timeout_ms: 5 } });
  expect(body).toContain("`````sh\ncat <<'```'\n````\nx\n`````");
  expect(body).toContain('"timeout_ms": 5');
  expect(body).toContain("In the folder `/work`.");
});

test("a body that is too long is cut, and says where the whole is", () => {
  const { body } = words({ tool: "write_file", arguments: { content: "é".repeat(500_000) }, isDiffCut: true });
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(64 * 1024);
  expect(body).toContain("the whole is in the arguments of the request");
  expect(body).toContain("The diff is longer than 256 KiB");
  expect(body.isWellFormed()).toBe(true);
});
