import { describe, expect, test } from "vitest";
import { createMarkdown } from "./markdown.ts";
import { createStyle } from "./style.ts";
import { widthOf } from "./width.ts";

function rendered(text: string, { color = false, columns = 60, pieces = 1 } = {}): string {
  const markdown = createMarkdown({ style: createStyle(color), columns: () => columns });
  let out = "";
  for (let at = 0; at < text.length; at += pieces) out += markdown.push(text.slice(at, at + pieces));
  return out + markdown.end();
}

const ALL = `# Title
Some **bold** text, \`code\`, snake_case_name, 2 * 3 * 4, [a link](https://x.test/a_(b)).

- one
  - [x] two
1. first
> quoted

\`\`\`ts
const x = 1; /* a
comment */
| no | table |
\`\`\`

| Name | Value |
|------|------:|
| a | **1** |
| longer | 日本 |

\\*end\\*`;

describe("Markdown on a terminal", () => {
  test("is legible without colours", () => {
    expect(rendered(ALL)).toBe(`Title
Some bold text, code, snake_case_name, 2 * 3 * 4, a link
(https://x.test/a_(b)).

• one
  ☑ two
1. first
▌ quoted

── ts ──────────────────────────────────
const x = 1; /* a
comment */
| no | table |
────────────────────────────────────────

Name   │ Value
───────┼──────
a      │ 1
longer │ 日本

*end*`);
  });

  test("is the same however the text was cut into pieces", () => {
    for (const color of [false, true])
      for (const pieces of [2, 3, 7, 1000])
        expect(rendered(ALL, { color, pieces })).toBe(rendered(ALL, { color, pieces: 1 }));
  });

  test("what was given out is final, and the preview is the rest as it is", () => {
    const markdown = createMarkdown({ style: createStyle(false), columns: () => 60 });
    expect(markdown.push("one **two\nthr")).toBe("one **two\n");
    expect(markdown.preview()).toBe("thr");
    expect(markdown.push("ee *four")).toBe("");
    expect(markdown.preview()).toBe("three *four");
    markdown.push("*");
    expect(markdown.preview()).toBe("three four");
    expect(markdown.end()).toBe("three four");
    expect([markdown.preview(), markdown.end()]).toEqual(["", ""]);
  });

  test("a link never hides where it leads", () => {
    expect(rendered("[https://good.test](https://bad.test)")).toBe("https://good.test (https://bad.test)");
    expect(rendered("<https://x.test> ![picture](p.png)")).toBe("https://x.test picture (p.png)");
  });

  test("breaks between words, set in where they belong to a list or a quote; code does not break", () => {
    const long = "words that take more room than there is";
    const shown = rendered(`${long}\n\n- ${long}\n  10. ${long}\n> **${long}**\n\n\`\`\`\n${long}\n\`\`\``, {
      columns: 20,
    });
    expect(shown).toBe(`words that take
more room than
there is

• words that take
  more room than
  there is
  10. words that
      take more
      room than
      there is
▌ words that take
▌ more room than
▌ there is

───────────────────
${long}
───────────────────`);
  });

  test("the preview breaks as the line will, and an address stays whole for whoever copies it", () => {
    const markdown = createMarkdown({ style: createStyle(false), columns: () => 20 });
    markdown.push("see https://x.test/a/long/address and more");
    expect(markdown.preview()).toBe("see\nhttps://x.test/a/long/address\nand more");
    expect(markdown.push("\n")).toBe("see\nhttps://x.test/a/long/address\nand more\n");
  });

  test("marks that are not closed stay as they are", () => {
    for (const text of [
      "a ** b",
      "5 * 3",
      "**open",
      "`tick",
      "[x](",
      "a_b_c",
      "| not a table",
      "#hash",
      "*",
      "__init__.py",
    ])
      expect(rendered(text)).toBe(text);
  });

  test("code keeps every character, and what follows an open block is code to the end", () => {
    expect(rendered("```\n  **a** <b> \\*\n```")).toContain("\n  **a** <b> \\*\n");
    expect(rendered("~~~~py\n```\n# x\n")).toContain("```\n# x\n");
  });

  test("colours words, strings and comments of code, over lines too", () => {
    const shown = rendered('```js\nconst a = "x"; /* one\ntwo */ return 1\n```', { color: true });
    expect(shown).toContain('\u001B[35mconst\u001B[39m a = \u001B[32m"x"\u001B[39m; \u001B[2m/* one\u001B[22m');
    expect(shown).toContain("\u001B[2mtwo */\u001B[22m \u001B[35mreturn\u001B[39m \u001B[33m1\u001B[39m");
  });

  test("a table that is too wide is cut in its widest column; where it cannot fit, its cells stand under each other", () => {
    const table = "| Name | What |\n|---|---|\n| a | some words that are long |\n";
    const lines = rendered(table, { columns: 26 }).split("\n");
    expect(Math.max(...lines.map(widthOf))).toBeLessThan(26);
    expect(lines[2]).toBe("a    │ some words that a…");
    expect(rendered(table, { columns: 14 })).toBe("Name: a\nWhat: some\n  words that\n  are long");
  });

  test("hostile text is written to its end: what looked at all of it for each piece would never come there", () => {
    for (const text of ["**a", "`", "[](", "* ", "|", "# ", "_a "]) rendered(text.repeat(50_000), { pieces: 100_000 });
    expect(rendered("| a | b |\n".repeat(5000), { pieces: 1000 })).toContain("a");
  });
});
