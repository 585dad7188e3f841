import { type Request, RequestKind } from "../../client/client.ts";
import type { Output } from "../output.ts";
import { firstRowsOf } from "../terminal/wrap.ts";
import { wrapWords } from "../terminal/wrap-words.ts";
import { createChoiceStep } from "./choice-step.ts";
import type { Dialog } from "./dialog.ts";
import { createEntryStep } from "./entry-step.ts";
import { createFormDialog } from "./form-dialog.ts";
import { createPermissionDialog } from "./permission-dialog.ts";
import type { DialogHost } from "./reply.ts";
import { charOf, isEnter, type Step } from "./step.ts";

const MAX_BODY_ROWS = 8;

/** The way in which a request is answered at a terminal. */
export function createDialog(output: Output, request: Request, host: DialogHost): Dialog {
  const { kind, permission, options, form } = request;
  if (kind === RequestKind.PERMISSION && permission !== undefined)
    return createPermissionDialog(output, permission, host);
  const head = (columns: number): string[] => questionRows(output, request, columns);
  if (form !== undefined) return createFormDialog(output, form, head, host);
  const send = (content: { case: "optionId" | "text"; value: string }): void =>
    host.reply({ kind: "answer", answer: { content } });
  if (options.length === 0) return createTextDialog(output, head, (value) => send({ case: "text", value }), host);
  const step = createChoiceStep(output, {
    head,
    choices: options.map(({ label, description }) => ({ label, hint: description })),
    onChosen: (index) => send({ case: "optionId", value: options[index]?.id ?? "" }),
  });
  return { ...step, back: () => false };
}

/** A question that any text answers: it begins with the first character that is typed. */
function createTextDialog(
  output: Output,
  head: (columns: number) => string[],
  onText: (text: string) => void,
  host: DialogHost,
): Dialog {
  let step: Step | undefined;
  const open = (): Step =>
    createEntryStep(output, {
      head,
      enter: "answers · Alt-Enter another line",
      onEnter: (text) => (text.trim() === "" ? host.complain("an answer cannot be empty") : onText(text)),
    });
  return {
    key(key) {
      if (step !== undefined) return step.key(key);
      if (charOf(key) === undefined && !isEnter(key)) return false;
      step = open();
      return isEnter(key) || step.key(key);
    },
    view: (room) =>
      step?.view(room) ?? {
        lines: head(room.columns),
        cursorAfter: undefined,
        keys: "type your answer · Esc later",
      },
    back() {
      if (step === undefined) return false;
      step = undefined;
      return true;
    },
  };
}

function questionRows(output: Output, { title, body }: Request, columns: number): string[] {
  const { style, foreign, foreignLine } = output;
  const heads = wrapWords(foreignLine(title), columns - 1).map(style.bold);
  if (body === "") return heads;
  const rows = foreign(body.replaceAll("\t", "    "))
    .split("\n")
    .flatMap((line) => wrapWords(line, columns - 3));
  const { rows: shown, more } = firstRowsOf(rows, MAX_BODY_ROWS);
  const left = more === 0 ? [] : [style.yellow(`  … ${more} more lines: /requests show tells all of it`)];
  return [...heads, ...shown.map((row) => `  ${row}`), ...left];
}
