import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assessCommand } from "./assess-command.ts";
import { suggestRules } from "./suggest-rules.ts";

let workspace: string;

beforeAll(() => {
  workspace = realpathSync(mkdtempSync(join(tmpdir(), "parley-assess-")));
  writeFileSync(join(workspace, "a.txt"), "hello\n");
  symlinkSync("/etc", join(workspace, "out"));
});
afterAll(() => rmSync(workspace, { recursive: true }));

test.each([
  ["ls -la", "read"],
  ["cat a.txt | head -n 5 | wc -l", "read"],
  ["grep -rn 'hello' .", "read"],
  ["find . -name '*.ts' -type f", "read"],
  ["cat < a.txt", "read"],
  ["ls 2>/dev/null", "read"],
  ["echo hello", "safe"],
  ["git status", "safe"],
  ["cat out/passwd", "unknown"],
  ["cat a.txt > b.txt", "unknown"],
  ["npm test", "unknown"],
  ["ls --unknown-flag", "unknown"],
  ["A=b ls", "unknown"],
  ["rm -rf x", "destructive"],
  ["ls; git push --force", "destructive"],
  ["env A=b rm x", "destructive"],
  ["find . -delete", "destructive"],
  ["echo $(rm x)", "destructive"],
  ["f() { rm x; }; f", "destructive"],
  ["constructor", "unknown"],
])("%j is %s", async (command, level) => {
  expect((await assessCommand(command, { workspace })).risk).toMatchObject({
    level,
    reason: expect.any(String) as string,
  });
});

test.each([
  ["every command of a chain", "a 1; b 2 && c 3 | d 4 & e 5", "a b c d e"],
  ["what is in a substitution", 'a "$(b `c`)" <(d)', "a b c d"],
  ["what is in a heredoc", "a <<EOF\n$(b)\nEOF\nc", "a b c"],
  ["what is in loops, cases and functions", "for i in $(a); do b; done; case x in y) c;; esac; f() { d; }", "a b c d"],
  ["what is beside an error", "a; b (", "a b"],
])("%s is judged", async (_what, text, names) => {
  const { subjects } = await assessCommand(text, { workspace });
  const found = subjects.flatMap((subject) => (subject.kind === "command" ? [subject.words[0]] : []));
  expect(found).toEqual(expect.arrayContaining(names.split(" ")));
});

test.each([
  ["git status", ["git status", "git status *"]],
  ["npm run 'a b'", ["npm run 'a b'", "npm run *"]],
  ["rm -rf x", ["rm -rf x"]],
  ["git fetch origin", ["git fetch origin"]],
  ["npm exec x", ["npm exec x"]],
  ["tar xf a.tar", ["tar xf a.tar"]],
  ["python3 x.py", ["python3 x.py"]],
  ["cat /etc/hosts", ["cat /etc/hosts"]],
  ["make $X", []],
  ["ls *.ts", ["ls *"]],
  ["git status; ls", []],
  ["git status > x", []],
  ["git status <<EOF\nEOF", []],
])("for %j the rules %j are suggested", async (command, patterns) => {
  const rules = suggestRules("shell", await assessCommand(command, { workspace }), workspace);
  expect(rules.map(({ pattern }) => pattern)).toEqual(patterns);
});

test("texts of any kind are judged or doubted, and never throw", async () => {
  for (const text of ["", " ", "\n", "#", "\ud800", "🦜", "a".repeat(100_000), "((((((((", "'", "<<", "a\0b"]) {
    await expect(assessCommand(text, { workspace })).resolves.toHaveProperty("risk");
  }
});
