import { CheckDecision, Risk } from "../../client/client.ts";
import type { Output } from "../output.ts";
import { riskWord } from "../permissions/words.ts";
import { firstRowsOf } from "../terminal/wrap.ts";
import { wrapWords } from "../terminal/wrap-words.ts";
import { callHead, type ShownArguments } from "./call-lines.ts";
import type { Judgement } from "./reply.ts";

/** A reason is a sentence; what a hook has to say to it may be another one. */
const MAX_REASON_ROWS = 6;

/** What a call wants, in a line of its own. */
export function headRows(output: Output, call: ShownArguments, isEdited: boolean, columns: number): string[] {
  const { style } = output;
  const mark = isEdited ? style.yellow(" (as you edited it)") : "";
  return wrapWords(style.bold(callHead(output, call)) + mark, columns - 1);
}

/** How dangerous a call is, and why a human is asked about it. */
export function riskRows(
  output: Output,
  { risk, reason, decision }: Judgement,
  columns: number,
  maxRows = MAX_REASON_ROWS,
): string[] {
  const { style, foreignLine } = output;
  const isDenied = decision === CheckDecision.DENY;
  const paint =
    isDenied || risk === Risk.DESTRUCTIVE
      ? style.red
      : risk === Risk.UNKNOWN || risk === Risk.UNSPECIFIED
        ? style.yellow
        : style.dim;
  const rowsOf = (text: string, color: (row: string) => string): string[] => {
    const { rows, more } = firstRowsOf(wrapWords(text, columns - 3), maxRows);
    return [...rows, ...(more === 0 ? [] : ["… v shows all of it"])].map((row) => `  ${color(row)}`);
  };
  // What hooks say stands apart, where the rest cannot hide it: that one failed is news, and maybe a fault to be mended.
  const [why = "", ...hooks] = foreignLine(reason).split(/; (?=the hook )/);
  const told = `${riskWord(risk)}: ${isDenied ? "it would be denied: " : ""}${why}`;
  return [...rowsOf(told, paint), ...hooks.flatMap((hook) => rowsOf(`! ${hook}`, style.yellow))];
}

export const HELP = [
  "  y  let this call run, once",
  "  n  deny it; r denies it with a reason, which the model is told",
  "  a  let calls like it run from now on: shows the rule first",
  "  e  change what it does, then allow that",
  "  v  write all of it above, to scroll through",
  "  Tab or Esc goes to what you type and back; Ctrl-C answers nothing; /requests lists what is open",
];
