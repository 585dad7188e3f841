import type { JsonObject, ToolCallPart, ToolResultPart } from "../../message/message.ts";
import type { ModelMessage } from "../model.ts";

/** Of what a tool said, so much is repeated. */
const MAX_LINES = 20;
const MAX_CHARS = 4000;

/** A call and what came of it. */
export interface EndedCall {
  readonly call: ToolCallPart;
  readonly result: ToolResultPart;
}

/** The calls of the newest message that made any, among these. */
export function lastCalls(messages: readonly ModelMessage[]): readonly EndedCall[] {
  const asked = messages.findLast(({ parts }) => parts.some(({ kind }) => kind === "tool_call"));
  const results = new Map(
    messages
      .flatMap(({ parts }) => parts)
      .filter((part) => part.kind === "tool_result")
      .map((result) => [result.callId, result]),
  );
  return (asked?.parts ?? []).flatMap((part) => {
    const result = part.kind === "tool_call" ? results.get(part.callId) : undefined;
    return part.kind === "tool_call" && result !== undefined ? [{ call: part, result }] : [];
  });
}

/** What came of a call, as it is told to whoever asked for it. */
export function tellResult(ended: EndedCall): string {
  const edited = EDITED.exec(ended.result.text);
  if (edited !== null) return `As you changed it: ${tellResult(asEdited(ended, edited))}`;
  const { call, result } = ended;
  const text = result.text.trim();
  switch (result.outcome) {
    case "succeeded":
      return tellSuccess(call, text);
    case "failed":
      return call.name === "now"
        ? `I cannot tell the time${placeOf(call)}: ${text}`
        : said(`I could not ${doing(call)}`, text);
    case "cancelled":
      return `I was stopped before I could ${doing(call)}.`;
    case "denied":
      return said(`I was not allowed to ${doing(call)}`, text.replace(/^The call was denied and did not run: /, ""));
    case "unknown":
      return `Nobody knows whether I managed to ${doing(call)}: the engine stopped meanwhile.`;
  }
}

/** How the engine says that something else ran than what was asked for, before what came of it. */
const EDITED = /^\[A human changed the arguments before it ran; it ran with: (?<json>[^]*?)\]\n/;

function asEdited({ call, result }: EndedCall, edited: RegExpExecArray): EndedCall {
  return {
    call: { ...call, arguments: readObject(edited.groups?.["json"] ?? "") ?? call.arguments },
    result: { ...result, text: result.text.slice(edited[0].length) },
  };
}

function readObject(json: string): JsonObject | undefined {
  try {
    return JSON.parse(json) as JsonObject;
  } catch {
    // What is long was cut.
    return undefined;
  }
}

function tellSuccess(call: ToolCallPart, text: string): string {
  const { name } = call;
  if (name === "now") return `It is ${text}.`;
  if (name === "ask_human") return `You answered: ${text}`;
  if (name === "shell") return tellRun(call, text);
  if (name === "list_files") return isNothing(text) ? "There are no files." : quote("This is there:", text);
  if (name === "todo") return "The plan is made.";
  if (name === "write_file" || name === "edit_file") return `Done: ${text}.`;
  return isNothing(text) ? `I could ${doing(call)}; it said nothing.` : quote(`${capital(sourceOf(call))}:`, text);
}

/** How a command ended stands in the first line of what is told of it, what it printed below. */
function tellRun(call: ToolCallPart, text: string): string {
  const [how = "", ...printed] = text.split("\n");
  const head = `\`${textOf(call, "command")}\`: ${how}`;
  const output = printed.join("\n");
  return isNothing(output) ? head : quote(`${head}, and it printed:`, output);
}

/** Tools say in brackets that they have nothing to say. */
function isNothing(text: string): boolean {
  return text === "" || /^\[(?:no|nothing)\b[^\]\n]*\]$/.test(text);
}

/** `run \`ls\``, after "to". */
function doing(call: ToolCallPart): string {
  const { name } = call;
  const given = (key: string): string => textOf(call, key);
  switch (name) {
    case "shell":
      return `run \`${given("command")}\``;
    case "read_file":
      return `read ${given("path")}`;
    case "write_file":
      return `write ${given("path")}`;
    case "edit_file":
      return `change ${given("path")}`;
    case "fetch_url":
      return `fetch ${given("url")}`;
    case "run_agent":
      return `ask ${given("agent")}`;
    case "ask_human":
      return "ask you";
    case "list_files":
      return "list the files";
  }
  return `call ${name}`;
}

function sourceOf(call: ToolCallPart): string {
  if (call.name === "read_file") return `${textOf(call, "path")} says`;
  if (call.name === "run_agent") return `${textOf(call, "agent")} says`;
  return call.name === "fetch_url" ? "I got this" : "I found this";
}

function placeOf(call: ToolCallPart): string {
  const timezone = textOf(call, "timezone");
  return timezone === "" ? "" : ` in ${timezone}`;
}

function textOf({ arguments: args }: ToolCallPart, key: string): string {
  const value = args[key];
  return typeof value === "string" ? (value.trim().split("\n")[0] ?? "") : "";
}

function said(what: string, text: string): string {
  if (text === "") return `${what}.`;
  return text.includes("\n") ? quote(`${what}:`, text) : `${what}: ${text}`;
}

/** A name of a file stays as it is written. */
function capital(text: string): string {
  return /^[\w-]+\s/.test(text) ? text.replace(/^\p{Ll}/u, (letter) => letter.toUpperCase()) : text;
}

/** What a tool said, in a frame that nothing in it can end. */
function quote(head: string, text: string): string {
  const whole = text.split("\n");
  const lines = text.slice(0, MAX_CHARS).toWellFormed().split("\n").slice(0, MAX_LINES);
  const ticks = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1;
  const fence = "`".repeat(ticks);
  const left = whole.length - lines.length;
  const more = left > 0 ? `\n... and ${left} more lines` : text.length > MAX_CHARS ? "\n... and more" : "";
  return `${head}\n\n${fence}\n${lines.join("\n")}\n${fence}${more}`;
}
