/** One of the things that are asked for in a message. */
export interface Clause {
  readonly text: string;
  /** Where it stands in the message. */
  readonly start: number;
  /** Said to be done after what stands before it. */
  readonly isLater: boolean;
}

/** What an order begins with, so that "bread and butter" stays one thing and "list the files and run `ls`" is two. */
const BEGINNINGS =
  "list|show|write|create|make|save|put|read|print|open|change|replace|edit|run|execute|ask|search|find|look|fetch|delete|remove|what|plan|have|let|start|tell|in";

const FILLERS = String.raw`(?:(?:please|now|also|so|can you|could you|would you|slowly|quickly)[,\s]+)*`;
const LINKS = String.raw`(?:(?:and|then|after that|afterwards|finally|next)\b[,\s]*)*`;
const BETWEEN = new RegExp(
  String.raw`(?:\s*[;\n]\s*|[.!?]\s+|,\s*|\s+(?=and\b|then\b))${LINKS}(?=${FILLERS}(?:${BEGINNINGS})\b)`,
  "gi",
);
const LATER = /[.!?;\n]|\b(?:then|after|next|finally)/i;

/** Text that somebody put in quotes, or gave as all that follows. */
const QUOTED =
  /```[^]*?```|`[^`\n]+`|"[^"\n]*"|“[^”\n]*”|(?<![\p{L}\p{N}])'[^'\n]*'(?![\p{L}\p{N}])|(?:that says|saying|containing|with(?: the)?(?: text| content| words| lines)?)\s*:[ \t]*\n[^]*$/gu;

/** Takes a message apart into what could be orders. What is quoted is not taken apart. */
export function clausesOf(message: string): readonly Clause[] {
  const quoted = [...message.matchAll(QUOTED)].map(({ index, 0: text }) => [index, index + text.length] as const);
  const clauses: Clause[] = [];
  let start = 0;
  let isLater = false;
  for (const { index, 0: between } of message.matchAll(BETWEEN)) {
    if (quoted.some(([from, to]) => index > from && index < to)) continue;
    clauses.push({ text: message.slice(start, index), start, isLater });
    start = index + between.length;
    isLater = LATER.test(between);
  }
  return [...clauses, { text: message.slice(start), start, isLater }];
}
