import type { Node } from "web-tree-sitter";

/** A word as the command will have it. */
export interface Word {
  /** After quoting is undone; as it is written where it is not fixed. */
  readonly text: string;
  /** False: the shell makes it up when it runs, and it may become any number of words. */
  readonly isFixed: boolean;
}

export interface WordReader {
  /** Says that nobody can tell what the command does, and why. */
  doubt(why: string): void;
  /** Judges what runs to make the word. */
  walk(node: Node): void;
}

/** Unquoted, these make other words of a word, or may. */
const EXPANDING = /[*?[\]{}!]|(?:^|[:=])~|[@+](?=\()/;

/** Reads one word, and has everything judged that runs to make it. */
export function readWord(node: Node, reader: WordReader): Word {
  switch (node.type) {
    case "word":
    case "variable_name":
      return unquoted(node);
    case "number":
      return node.namedChildCount === 0 ? { text: node.text, isFixed: true } : unknown(node, reader);
    case "raw_string":
      return { text: node.text.slice(1, -1), isFixed: true };
    case "string":
      return quoted(node, reader);
    case "concatenation":
      return joined(node, reader);
    case "simple_expansion":
    case "ansi_c_string":
    case "brace_expression":
      return { text: node.text, isFixed: false };
    case "expansion":
      // Other forms can set variables and run what is in them.
      return /^\$\{\w+\}$/.test(node.text) ? { text: node.text, isFixed: false } : unknown(node, reader);
    case "command_substitution":
    case "process_substitution":
      reader.walk(node);
      return { text: node.text, isFixed: false };
  }
  return unknown(node, reader);
}

function unknown(node: Node, reader: WordReader): Word {
  reader.doubt(
    node.type === "arithmetic_expansion" || node.type === "expansion"
      ? "an expansion in it can run commands"
      : `it has a word that is not understood (${node.type})`,
  );
  for (const child of node.namedChildren) reader.walk(child);
  return { text: node.text, isFixed: false };
}

function unquoted({ text }: Node): Word {
  const isFixed = !EXPANDING.test(text.replaceAll(/\\[\s\S]/g, ""));
  return { text: isFixed ? text.replaceAll(/\\([\s\S])/g, "$1") : text, isFixed };
}

function quoted(node: Node, reader: WordReader): Word {
  const pieces = node.namedChildren;
  for (const piece of pieces) if (piece.type !== "string_content") readWord(piece, reader);
  // `$"..."` is looked up in a file of translations.
  if (node.text.startsWith("$") || pieces.some(({ type }) => type !== "string_content")) {
    return { text: node.text, isFixed: false };
  }
  const inner = node.text.slice(1, -1);
  return { text: inner.replaceAll(/\\\n/g, "").replaceAll(/\\(["\\$`])/g, "$1"), isFixed: true };
}

function joined(node: Node, reader: WordReader): Word {
  const pieces = node.children.map((piece) => readWord(piece, reader));
  const isFixed = pieces.every((piece) => piece.isFixed);
  return { text: isFixed ? pieces.map(({ text }) => text).join("") : node.text, isFixed };
}
