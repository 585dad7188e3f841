import type { Node } from "web-tree-sitter";
import { parseBash } from "./shell-parser.ts";
import { readWord, type Word } from "./shell-word.ts";

/** One plain command. */
export interface ParsedCommand {
  /** What is set for it alone stands before its name, as `A=b`. */
  readonly words: readonly string[];
  /** How many of them, from the first on, are what they will be when it runs. */
  readonly fixedWords: number;
}

/** A file that the shell itself opens for a command. */
export interface Redirect {
  readonly target: string;
  readonly access: "read" | "write";
}

/** What a text makes a shell do. */
export interface ParsedShell {
  /** Of chains, pipes, substitutions, loops and functions too, as they are written. */
  readonly commands: readonly ParsedCommand[];
  readonly redirects: readonly Redirect[];
  /** Words that are no command's yet: what loops go through, and what variables are set to. */
  readonly listed: readonly string[];
  /** Why nobody can tell what it does; empty = one can. */
  readonly unclear: string;
}

/** Each limit fails closed: what exceeds it is unclear. */
const MAX_CHARS = 16_384;
const MAX_COMMANDS = 100;
const MAX_DEPTH = 60;

/** What shows nothing, shows something else than it is, or is a blank to some readers and a letter to bash. */
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class -- these are what it is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e01ef}]/u;

/** Nodes that only hold others together; what their named children do is what they do. */
const STRUCTURE: ReadonlySet<string> = new Set([
  "program",
  "list",
  "pipeline",
  "subshell",
  "compound_statement",
  "if_statement",
  "elif_clause",
  "else_clause",
  "while_statement",
  "do_group",
  "negated_command",
  "redirected_statement",
  "command_substitution",
  "process_substitution",
]);

/** Why a kind of node is not understood, where there is more to say than that. Its commands are judged all the same. */
const UNCLEAR: Readonly<Record<string, string>> = {
  function_definition: "it gives a command another meaning",
  declaration_command: "it sets variables for what comes after",
  unset_command: "it takes variables from what comes after",
  test_command: "its conditions can run commands",
  arithmetic_expansion: "its arithmetic can run commands",
  c_style_for_statement: "its arithmetic can run commands",
  heredoc_redirect: "it gives a command a text to read that no rule looks at",
  herestring_redirect: "it gives a command a text to read that no rule looks at",
  ERROR: "it is no shell command that can be parsed",
};

/** Builtins after which the same words mean something else, or which run what they are given. */
const MEANING_CHANGERS: ReadonlySet<string> = new Set(
  `alias unalias source . eval exec export declare typeset local readonly set unset shopt enable hash trap builtin command bind
  complete let read mapfile readarray getopts printf ulimit umask fc history coproc time`.split(/\s+/),
);

/** These steer programs though they are written small. */
const STEERING = /_proxy$/;

/** Tells every command that a text makes bash run. Never throws for a text. */
export async function parseShell(text: string): Promise<ParsedShell> {
  const before = lookAtText(text);
  if (before !== "") return { commands: [], redirects: [], listed: [], unclear: before };
  const tree = await parseBash(text);
  if (tree === undefined) return { commands: [], redirects: [], listed: [], unclear: "it takes too long to be parsed" };
  try {
    const reader = createReader();
    if (tree.rootNode.hasError) reader.doubt("it is no shell command that can be parsed");
    reader.walk(tree.rootNode, 0);
    if (leavesGap(tree.rootNode, text)) reader.doubt("the parser did not look at all of it");
    return reader.end();
  } finally {
    tree.delete();
  }
}

function lookAtText(text: string): string {
  if (text.length > MAX_CHARS) return `it is longer than ${MAX_CHARS} characters`;
  if (!text.isWellFormed() || INVISIBLE.test(text)) return "it holds characters that do not show";
  // Bash takes these out before it looks for words; the grammar ends a word there.
  if (/(?:^|[^ \t])\\\n/.test(text)) return "a line goes on in the middle of a word";
  if (/\\\n/.test(text) && text.includes("#")) return "it has a comment beside a line that goes on";
  return "";
}

function createReader() {
  const commands: ParsedCommand[] = [];
  const redirects: Redirect[] = [];
  const listed: string[] = [];
  let unclear = "";

  function doubt(why: string): void {
    unclear ||= why;
  }

  function word(node: Node, depth: number): Word {
    return readWord(node, { doubt, walk: (inner) => walk(inner, depth + 1) });
  }

  function walkAll(node: Node, depth: number): void {
    for (const child of node.namedChildren) walk(child, depth + 1);
  }

  function walk(node: Node, depth: number): void {
    if (depth > MAX_DEPTH) return doubt("it is nested too deep");
    if (commands.length > MAX_COMMANDS) return doubt(`it has more than ${MAX_COMMANDS} commands`);
    if (node.isMissing) doubt("it is no shell command that can be parsed");
    if (STRUCTURE.has(node.type)) {
      // Where it stands alone it is an error to bash.
      if (node.children.some(({ type }) => type === ";;")) doubt("it is no shell command that can be parsed");
      return walkAll(node, depth);
    }
    switch (node.type) {
      case "comment":
        return;
      case "command":
        return command(node, depth);
      case "variable_assignment":
        return assignment(node, depth);
      case "variable_assignments":
        return walkAll(node, depth);
      case "file_redirect":
        return redirect(node, depth);
      case "for_statement":
      case "case_statement":
      case "case_item":
        return choice(node, depth);
    }
    doubt(UNCLEAR[node.type] ?? `it has a part that is not understood (${node.type})`);
    walkAll(node, depth);
  }

  /** Loops and cases: words, and what is done for them. */
  function choice(node: Node, depth: number): void {
    for (const child of node.namedChildren) {
      if (child.type === "variable_name") setsVariable(child.text);
      else if (STRUCTURE.has(child.type) || child.type === "case_item" || isStatement(child)) walk(child, depth + 1);
      else listed.push(word(child, depth).text);
    }
  }

  /** A name in capitals may be one that the shell or a program obeys, such as PATH. */
  function setsVariable(name: string): boolean {
    if (/^[a-z_][a-z0-9_]*$/.test(name) && !STEERING.test(name)) return false;
    doubt(`it sets ${name} for what comes after`);
    return true;
  }

  function assignment(node: Node, depth: number): void {
    const [name, ...values] = node.namedChildren;
    setsVariable(name?.text ?? "");
    if (name?.type !== "variable_name") doubt("it sets a variable that is not understood");
    for (const value of values) listed.push(word(value, depth).text);
  }

  function command(node: Node, depth: number): void {
    const words: Word[] = [];
    let hasName = false;
    // A sign that belongs to no word: of `$"..."`, which is looked up in a file of translations.
    if (node.children.some(({ isNamed }) => !isNamed)) doubt("a command has a sign that is not understood");
    for (const child of node.namedChildren) {
      if (child.type.endsWith("_redirect")) walk(child, depth + 1);
      else if (child.type === "variable_assignment") words.push(setFor(child, depth));
      else if (child.type === "command_name") {
        hasName = true;
        const name = word(child.namedChildren[0] ?? child, depth);
        if (!name.isFixed || child.namedChildCount !== 1) doubt("the name of a command is made up when it runs");
        words.push(name);
      } else words.push(word(child, depth));
    }
    if (!hasName) doubt("a command has no name");
    const open = words.findIndex(({ isFixed }) => !isFixed);
    const fixedWords = open === -1 ? words.length : open;
    commands.push({ words: words.map(({ text }) => text), fixedWords });
  }

  /** What is set for one command: part of its words, so that no rule for the command alone speaks for it. */
  function setFor(node: Node, depth: number): Word {
    const [, ...values] = node.namedChildren;
    const isFixed = values.map((value) => word(value, depth)).every((value) => value.isFixed);
    return { text: node.text, isFixed };
  }

  function redirect(node: Node, depth: number): void {
    const sign = node.children.find((child) => !child.isNamed)?.type ?? "";
    const [target, ...more] = node.namedChildren.filter(({ type }) => type !== "file_descriptor");
    if (target === undefined || more.length > 0) return doubt("it redirects in a way that is not understood");
    const { text, isFixed } = word(target, depth);
    if (!isFixed) return doubt("the name of a file is made up when it runs");
    if (/^[<>]&-?$/.test(sign) && /^(\d+|-)-?$/.test(text)) return;
    if (text.startsWith("/dev/tcp/") || text.startsWith("/dev/udp/")) doubt("it opens a connection");
    if (text !== "/dev/null") redirects.push({ target: text, access: sign === "<" ? "read" : "write" });
  }

  function end(): ParsedShell {
    if (commands.length > MAX_COMMANDS) doubt(`it has more than ${MAX_COMMANDS} commands`);
    const changer = commands.find(({ words }) => MEANING_CHANGERS.has(words[0] ?? ""))?.words[0];
    if (changer !== undefined && commands.length > 1) doubt(`${changer} can change what the other commands do`);
    return { commands, redirects, listed, unclear };
  }

  return { walk, doubt, end };
}

function isStatement({ type }: Node): boolean {
  return (
    type === "command" || type === "for_statement" || type === "case_statement" || /_(statement|definition)$/.test(type)
  );
}

/** Whether the tree's leaves leave anything out but blanks: what no node holds was not judged. */
function leavesGap(root: Node, text: string): boolean {
  let end = 0;
  const isBlank = (to: number): boolean => /^(?:[ \t\n]|\\\n)*$/.test(text.slice(end, to));
  const stack: Node[] = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.childCount > 0 && !WHOLE.has(node.type)) {
      stack.push(...node.children.toReversed());
      continue;
    }
    if (node.startIndex > end && !isBlank(node.startIndex)) return true;
    end = Math.max(end, node.endIndex);
  }
  return !isBlank(text.length);
}

/** Text inside of these is no syntax: what is not in a child is the text itself. */
const WHOLE: ReadonlySet<string> = new Set([
  "string",
  "heredoc_body",
  "ansi_c_string",
  "raw_string",
  "heredoc_redirect",
]);
