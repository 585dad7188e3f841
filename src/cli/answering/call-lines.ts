import type { JsonObject } from "@bufbuild/protobuf";
import type { Output } from "../output.ts";
import { diffLines } from "../terminal/diff-lines.ts";
import { wrapLine } from "../terminal/wrap.ts";

/** A tool call that is to be shown. */
export interface ShownArguments {
  readonly tool: string;
  readonly args: JsonObject;
  /** A unified diff of what it would change; empty = none. */
  readonly diff: string;
}

/** What stands in the head of a call, so that it needs not be told again. */
const HEADS: Readonly<Record<string, { readonly key: string; readonly verb: string }>> = {
  write_file: { key: "path", verb: "Write" },
  edit_file: { key: "path", verb: "Change" },
  read_file: { key: "path", verb: "Read" },
  list_files: { key: "path", verb: "List" },
  fetch_url: { key: "url", verb: "Fetch" },
  run_agent: { key: "agent", verb: "Start the agent" },
};

/** What a call wants, in a few words of ours and its most telling argument, whole. */
export function callHead({ foreignLine }: Output, { tool, args }: ShownArguments): string {
  if (tool === "shell") return args["background"] === true ? "Run this in the background?" : "Run this command?";
  if (tool === "apply_patch") return "Apply this patch?";
  const { key, verb } = HEADS[tool] ?? {};
  const told = key === undefined ? undefined : args[key];
  return typeof told === "string" ? `${verb} ${foreignLine(told)}?` : `Call the tool ${foreignLine(tool)}?`;
}

/** All that a call would do, as rows: the command, the diff, or the arguments by name. */
export function callRows(output: Output, call: ShownArguments, columns: number): string[] {
  const { style } = output;
  const bar = style.dim("│ ");
  const width = Math.max(10, columns - 4);
  return bodyRows(output, call, width).map((row) => `  ${bar}${row}`);
}

function bodyRows(output: Output, { tool, args, diff }: ShownArguments, columns: number): string[] {
  const { foreign, style } = output;
  const rest = new Map(Object.entries(args));
  const rows: string[] = [];
  if (tool === "shell" && typeof args["command"] === "string") {
    rest.delete("command");
    rest.delete("background");
    const command = foreign(args["command"].replaceAll("\t", "    "));
    rows.push(...command.split("\n").flatMap((line) => wrapLine(line, columns).map(style.bold)));
  }
  const head = HEADS[tool]?.key;
  if (head !== undefined && typeof args[head] === "string") rest.delete(head);
  // The diff tells these, as the file will be; the others stand before it, where no long diff hides them.
  if (diff !== "") for (const key of ["content", "old_text", "new_text", "edits", "patch"]) rest.delete(key);
  const edits = diff === "" && tool === "edit_file" ? editsOf(args) : [];
  if (edits.length > 0) for (const key of ["old_text", "new_text", "edits"]) rest.delete(key);
  for (const [name, value] of rest) rows.push(...argumentRows(output, name, value, columns));
  rows.push(...edits.flatMap((edit) => editRows(output, edit, columns)));
  if (diff !== "") rows.push(...diffLines(output, diff, { columns, hidesNames: head === "path" }));
  return rows;
}

interface Edit {
  readonly before: string;
  readonly after: string;
  readonly isEverywhere: boolean;
}

/** The pieces that a call replaces; none where its arguments are not what the tool takes, which are shown as they are then. */
function editsOf({ old_text, new_text, edits }: JsonObject): Edit[] {
  const pieces = Array.isArray(edits) ? edits : [{ old_text, new_text }];
  const found = pieces.flatMap((piece) => {
    const { old_text: before, new_text: after, replace_all: all } = isObject(piece) ? piece : {};
    return typeof before === "string" && typeof after === "string"
      ? [{ before, after, isEverywhere: all === true }]
      : [];
  });
  return found.length === pieces.length && (edits === undefined || old_text === undefined) ? found : [];
}

/** What goes and what comes, as a diff has it, where nobody knows in which lines of the file. */
function editRows({ foreign, style }: Output, { before, after, isEverywhere }: Edit, columns: number): string[] {
  const marked = (mark: string, text: string, paint: (row: string) => string): string[] =>
    foreign(text.replaceAll("\t", "    "))
      .replace(/\n$/, "")
      .split("\n")
      .flatMap((line) => wrapLine(mark + line, columns).map(paint));
  return [
    style.cyan(isEverywhere ? "@@ wherever it is @@" : "@@"),
    ...(before === "" ? [] : marked("-", before, style.red)),
    ...(after === "" ? [] : marked("+", after, style.green)),
  ];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function argumentRows({ foreign }: Output, name: string, value: unknown, columns: number): string[] {
  const text = foreign(typeof value === "string" ? value : JSON.stringify(value)).replaceAll("\t", "    ");
  if (!text.includes("\n")) return wrapLine(`${foreign(name)}: ${text}`, columns);
  return [`${foreign(name)}:`, ...text.split("\n").flatMap((line) => wrapLine(`  ${line}`, columns))];
}

/** The argument by which a call is known on one line, where it is none that stands in its head. */
const TELLING: Readonly<Record<string, string>> = {
  shell: "command",
  glob: "pattern",
  grep: "pattern",
  ask_human: "question",
};

/** A call on one line: its name, and its most telling argument or all of them. */
export function callText({ tool, args }: Omit<ShownArguments, "diff">): string {
  const key = TELLING[tool] ?? HEADS[tool]?.key;
  const told = key === undefined ? undefined : args[key];
  if (typeof told === "string") return `${tool} ${told}`;
  // The list stands beside it.
  if (tool === "todo" && Array.isArray(args["items"])) return `${tool} (${args["items"].length} steps)`;
  return Object.keys(args).length === 0 ? tool : `${tool}(${JSON.stringify(args)})`;
}
