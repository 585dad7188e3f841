import { relative } from "node:path";
import type { JsonObject } from "../message/message.ts";
import type { Decision } from "./decision.ts";
import { isWithin } from "../workspace/path-names.ts";
import { SHELL } from "./rule-match.ts";

const MAX_TITLE_CHARS = 300;
const MAX_BODY_BYTES = 48 * 1024;

/** What is to be told of a call. */
export interface Told {
  readonly tool: string;
  readonly arguments: JsonObject;
  /** Empty = none. */
  readonly workspace: string;
  readonly decision: Pick<Decision, "risk" | "reason" | "subjects">;
  readonly isDiffCut: boolean;
}

/** The question of a permission request in words that say what will happen: one line, and more of it in Markdown. */
export function wordsFor(told: Told): { readonly title: string; readonly body: string } {
  return { title: cutTitle(showHidden(titleOf(told))), body: bodyOf(told) };
}

function titleOf({ tool, arguments: args, workspace, decision: { subjects } }: Told): string {
  const { command } = args;
  if (tool === SHELL && typeof command === "string") return `Run: ${command}`;
  const written = subjects.flatMap((subject) => (subject.kind === "path" ? [subject] : []));
  const hosts = subjects.flatMap((subject) => (subject.kind === "host" ? [subject.host] : []));
  if (hosts.length > 0) return `${tool}: open a connection to ${hosts.join(", ")}`;
  if (written.length > 0) {
    const access = written.some((subject) => subject.access === "write") ? "change" : "read";
    return `${tool}: ${access} ${written.map(({ path }) => nameIn(path, workspace)).join(", ")}`;
  }
  return `${tool} ${JSON.stringify(args)}`;
}

function nameIn(path: string, workspace: string): string {
  return isWithin(path, workspace) && path !== workspace ? relative(workspace, path) : path;
}

function bodyOf({ tool, arguments: args, workspace, decision: { reason, risk }, isDiffCut }: Told): string {
  const { command, ...others } = args;
  const isCommand = tool === SHELL && typeof command === "string";
  const rest = isCommand ? others : args;
  const why = reason.startsWith(risk.reason) ? reason : `${reason}; ${risk.reason}`;
  const lines = [
    `The agent wants to call \`${tool}\`. Why you are asked: ${showHidden(why)}.`,
    ...(isCommand ? [fenced(command, "sh")] : []),
    ...(Object.keys(rest).length > 0 ? [fenced(JSON.stringify(rest, undefined, 2), "json")] : []),
    ...(workspace === "" ? [] : [`In the folder \`${showHidden(workspace)}\`.`]),
    ...(isDiffCut ? ["The diff is longer than 256 KiB; what is shown is its beginning."] : []),
  ];
  return lines.join("\n\n");
}

/** As a block that its own text cannot end. */
function fenced(text: string, language: string): string {
  const shown = showHidden(text, /[\n\t]/);
  const cut = cutBytes(shown);
  const longest = Math.max(2, ...Array.from(cut.matchAll(/`+/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const word = cut === shown ? "" : "\n\nThis is its beginning; the whole is in the arguments of the request.";
  return `${fence}${language}\n${cut}\n${fence}${word}`;
}

function cutBytes(text: string): string {
  if (Buffer.byteLength(text) <= MAX_BODY_BYTES / 2) return text;
  return Buffer.from(text)
    .subarray(0, MAX_BODY_BYTES / 2)
    .toString("utf8")
    .replace(/\uFFFD$/, "");
}

function cutTitle(text: string): string {
  const characters = Array.from(text);
  return characters.length <= MAX_TITLE_CHARS ? text : `${characters.slice(0, MAX_TITLE_CHARS).join("")}…`;
}

/** Shows what would be obeyed or not be seen: line breaks, other control characters, and those that turn the direction of text. */
function showHidden(text: string, but?: RegExp): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (but?.test(character) === true) return character;
    return character === "\n" ? "⏎" : `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}
