import type { Style } from "./style.ts";

/** Colours lines of one block of code, in order. */
export interface CodeColors {
  line(text: string): string;
}

/**
 * Comments, strings, numbers and words of the language, which is what a reader's eye goes by. No grammar: a line is
 * coloured as it comes, in any language, and what is unknown stays plain.
 */
export function createCodeColors(language: string, style: Style): CodeColors {
  const kind = KINDS.find(({ names }) => names.includes(language.toLowerCase()));
  if (kind === undefined) return { line: (text) => text };
  const tokens = tokensOf(kind);
  let isInComment = false;
  return {
    line(text) {
      let rest = text;
      let done = "";
      if (isInComment) {
        const end = rest.indexOf("*/");
        if (end < 0) return style.dim(text);
        isInComment = false;
        done = style.dim(rest.slice(0, end + 2));
        rest = rest.slice(end + 2);
      }
      return (
        done +
        rest.replace(tokens, (whole: string, ...found: unknown[]) => {
          const { open, comment, string, word, number } = found.at(-1) as Partial<Record<string, string>>;
          if (open !== undefined) isInComment = true;
          if (comment !== undefined || open !== undefined) return style.dim(whole);
          if (string !== undefined) return style.green(whole);
          if (number !== undefined) return style.yellow(whole);
          return word !== undefined && kind.words.has(kind.anyCase ? word.toLowerCase() : word)
            ? style.magenta(whole)
            : whole;
        })
      );
    },
  };
}

interface Kind {
  readonly names: readonly string[];
  /** What begins a comment that ends with its line. */
  readonly comment: string;
  readonly hasBlockComments: boolean;
  readonly anyCase: boolean;
  readonly words: ReadonlySet<string>;
}

function tokensOf({ comment, hasBlockComments }: Kind): RegExp {
  const parts = [
    ...(hasBlockComments ? [String.raw`/\*.*?(?:\*/|(?<open>$))`] : []),
    // In a shell # begins a comment only where a word could.
    String.raw`(?<comment>(?<![^\s;(])(?:${comment}).*$)`,
    String.raw`(?<string>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'|\u0060(?:[^\u0060\\]|\\.)*\u0060?)`,
    String.raw`(?<number>\b(?:0x[\da-f]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)\b)`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_]*)`,
  ];
  return new RegExp(parts.join("|"), "giu");
}

function kind(names: string, comment: string, words: string, more: Partial<Kind> = {}): Kind {
  return {
    names: names.split(" "),
    comment,
    hasBlockComments: false,
    anyCase: false,
    words: new Set(words.split(" ")),
    ...more,
  };
}

const C_LIKE = "if else for while do switch case default break continue return true false null";
const BLOCK: Partial<Kind> = { hasBlockComments: true };

const KINDS: readonly Kind[] = [
  kind(
    "js jsx ts tsx javascript typescript mjs cjs mts",
    "//",
    `${C_LIKE} const let var function class extends new this super import export from as async await yield of in typeof instanceof throw try catch finally delete void undefined type interface implements readonly enum public private protected static get set satisfies keyof`,
    BLOCK,
  ),
  kind(
    "c h cpp c++ cc hpp cs csharp java kotlin kt swift scala dart php objc proto protobuf",
    "//",
    `${C_LIKE} int char bool boolean void float double long short unsigned signed struct enum union typedef static const auto class public private protected new delete this throw try catch finally import package using namespace template virtual override interface extends implements final val var fun func let guard string message service rpc returns repeated oneof optional syntax`,
    BLOCK,
  ),
  kind(
    "go golang",
    "//",
    `${C_LIKE} func package import var const type struct interface map chan go defer range select fallthrough nil make len string int error`,
    BLOCK,
  ),
  kind(
    "rs rust zig",
    "//",
    `${C_LIKE} fn let mut pub use mod struct enum impl trait match loop where self Self async await move ref const static crate super unsafe dyn as in Some None Ok Err`,
    BLOCK,
  ),
  kind("css scss less", "//", "important media import from to", BLOCK),
  kind(
    "py python python3",
    "#",
    "def class return if elif else for while in is not and or import from as with try except finally raise pass break continue lambda yield global nonlocal assert async await del None True False self match case",
  ),
  kind(
    "rb ruby",
    "#",
    "def class module end return if elsif else unless for while until do in not and or require begin rescue ensure raise yield self nil true false case when then",
  ),
  kind(
    "sh bash zsh shell fish console terminal",
    "#",
    "if then elif else fi for while until do done case esac in function return export local set unset exit echo cd source sudo",
  ),
  kind(
    "yaml yml toml ini dockerfile makefile make conf",
    "#",
    "true false null yes no on off FROM RUN COPY CMD ENV WORKDIR",
  ),
  kind("json jsonc json5 jsonl", "//", "true false null"),
  kind(
    "sql sqlite postgres postgresql mysql",
    "--",
    "select from where insert into values update set delete create table index view drop alter add primary key foreign references join left right inner outer full on as and or not null is in exists between like order by group having limit offset union all distinct case when then else end with returning begin commit rollback",
    { hasBlockComments: true, anyCase: true },
  ),
  kind(
    "lua hs haskell elm",
    "--",
    "local function end if then else elseif for while do return nil true false not and or where let in case of module import data type class instance",
  ),
];
