import type { OrderRule } from "./demo-order.ts";
import { file, toFile, unquote, words } from "./demo-quoted.ts";

const FOLDER = String.raw`(?:\s+(?:in|of|under)\s+(?:(?:the|this) (?:folder|directory|workspace)\b|here\b|${file("folder")}|(?<word>[\w-]+)))?`;
const NEW = String.raw`(?:me )?(?:an?|the|this) (?:(?:new|short|small|empty|text) )*file (?:named |called )?`;
const CONTENT = String.raw`(?:,?\s+(?:(?:that|which) (?:says|contains|reads)|saying|containing|with(?: the)?(?: text| content| words?| lines?)?)\s*:?\s*(?<content>[^]+))?$`;

/** Places, one clause each, in which somebody speaks of files. The first that fits decides. */
export const FILE_ORDERS: readonly OrderRule[] = [
  {
    pattern: new RegExp(
      String.raw`^(?:list|show(?: me)?|what are|look at)\s+(?:all )?(?:the |my )?files\b${FOLDER}(?<deep>\s+recursively)?|^(?:list|what(?:'s| is| files are)(?: there)? in)\s+(?:here|(?:the|this|my) (?:folder|directory|workspace))\b|^what(?:'s| is) here\b|^what files are(?: there| here)?\b`,
      "i",
    ),
    help: "list the files / list the files in src - calls list_files",
    read({ folder, word, deep }) {
      const path = folder === undefined ? word : unquote(folder);
      const args = { ...(path && { path }), ...(deep !== undefined && { depth: 10 }) };
      return [{ tool: "list_files", args, intro: `Let me look${path ? ` into ${path}` : ""}.` }];
    },
  },
  {
    pattern: new RegExp(
      String.raw`^(?:what(?:'s| is| does)(?: there)?(?: written)?(?: in)?|read(?: me)?|show(?: me)?|print|open|look (?:at|into))\s+${file("path")}(?:\s+says?)?`,
      "i",
    ),
    help: "what is in hello.txt? / read it - calls read_file",
    read({ path: given = "" }, place) {
      const path = toFile(given, place.file);
      return path === undefined ? [] : [{ tool: "read_file", args: { path }, intro: `Let me read ${path}.` }];
    },
  },
  {
    pattern: new RegExp(
      String.raw`^(?:write|create|make|save)\s+(?:${NEW}(?=\S)${file("path")}|${file("bare")})${CONTENT}`,
      "i",
    ),
    help: "write a file named hello.txt that says Hello - calls write_file",
    read: ({ path, bare, content = "" }, place) => writing(toFile(path ?? bare ?? "", place.file), content),
  },
  {
    pattern: new RegExp(
      String.raw`^(?:write|put|save)\s+${words("content")}\s+(?:to|into|in)\s+(?:an? (?:new )?)?${file("path")}`,
      "i",
    ),
    read: ({ path = "", content = "" }, place) => writing(toFile(path, place.file), content),
  },
  {
    pattern: new RegExp(
      String.raw`^(?:(?:in|edit)\s+${file("within")}[,:]?\s+)?(?:change|replace|edit)\s+(?<every>every |all )?${words("before")}\s+(?:to|with|by|into)\s+${words("after")}(?<everywhere>\s+everywhere)?(?:\s+in\s+${file("path")})?(?<too>\s+everywhere)?[.!]?$`,
      "i",
    ),
    help: "change Hello to Goodbye in hello.txt - calls edit_file; with everywhere at its end, wherever it stands",
    read({ before = "", after = "", path: given, within, every, everywhere, too }, place) {
      const path = toFile(given ?? within ?? "it", place.file);
      if (path === undefined) return [];
      const isAll = (every ?? everywhere ?? too) !== undefined;
      const args = { path, old_text: unquote(before), new_text: unquote(after), ...(isAll && { replace_all: true }) };
      return [{ tool: "edit_file", args, intro: `I will change ${path}.` }];
    },
  },
  {
    pattern: new RegExp(
      String.raw`^(?:find|list|show(?: me)?)\s+(?:all )?(?:the )?(?:files )?(?:(?:named|called|like|matching)\s+)?(?<pattern>${"`[^`]*\\*[^`]*`"}|"[^"]*\*[^"]*"|[^\s,;"]*\*[^\s,;"]*)(?:\s+files\b)?`,
      "i",
    ),
    help: "find files named *.ts - calls glob",
    read: ({ pattern = "" }) => [{ tool: "glob", args: { pattern: unquote(pattern) }, intro: "Let me look for them." }],
  },
  {
    pattern: new RegExp(
      String.raw`^(?:search(?: the files)?(?: for)?|look for|find)\s+${words("text")}(?:\s+in\s+(?:(?:the|all|my|these) files|here|(?:the|this) (?:folder|directory|workspace))\b|\s+in\s+${file("folder")})?[.!?]?$`,
      "i",
    ),
    help: "search for TODO in src/ - calls grep",
    read({ text = "", folder }) {
      // What is looked for is text, and grep takes an expression.
      const pattern = unquote(text).replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
      const args = { pattern, ...(folder !== undefined && { path: unquote(folder) }) };
      return pattern === "" ? [] : [{ tool: "grep", args, intro: "Let me search." }];
    },
  },
  {
    pattern: new RegExp(String.raw`^(?:delete|remove)\s+${file("path")}`, "i"),
    help: "delete hello.txt - calls shell with rm, which is asked about",
    read({ path: given = "" }, place) {
      const path = toFile(given, place.file);
      if (path === undefined) return [];
      const safe = path.startsWith("-") ? `./${path}` : path;
      const word = /^[\w./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", String.raw`'\''`)}'`;
      return [{ tool: "shell", args: { command: `rm ${word}` }, intro: `I will remove ${path}.` }];
    },
  },
];

function writing(path: string | undefined, content: string): ReturnType<OrderRule["read"]> {
  if (path === undefined) return [];
  const text = unquote(content.replace(/ in it$/, ""));
  // A text file ends with a line feed.
  const args = { path, content: text === "" || text.endsWith("\n") ? text : `${text}\n` };
  return [{ tool: "write_file", args, intro: `I will write ${path}.` }];
}
