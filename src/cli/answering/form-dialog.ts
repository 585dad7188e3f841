import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Output } from "../output.ts";
import { shorten } from "../terminal/width.ts";
import { wrapWords } from "../terminal/wrap-words.ts";
import { createChoiceStep } from "./choice-step.ts";
import type { Dialog } from "./dialog.ts";
import { createEntryStep } from "./entry-step.ts";
import { fieldsOf, type FormField } from "./form-fields.ts";
import { readJsonObject } from "./json-object.ts";
import type { DialogHost } from "./reply.ts";
import { isEnter, type Step } from "./step.ts";

const SKIP = "leave it out";

/** A form, field by field; then all of it, to be sent. */
export function createFormDialog(
  output: Output,
  form: JsonObject,
  head: (columns: number) => readonly string[],
  host: DialogHost,
): Dialog {
  const { style, foreignLine } = output;
  const fields = fieldsOf(form);
  const values = new Map<string, JsonValue>();
  let at = -1;
  let step = fields === undefined ? wholeForm() : opening();

  const send = (value: JsonObject): void =>
    host.reply({ kind: "answer", answer: { content: { case: "form", value } } });

  /** A form that has no fields of its own is written as it is sent. */
  function wholeForm(): Step {
    return createEntryStep(output, {
      head: (columns) => [...head(columns), style.dim(shorten(foreignLine(JSON.stringify(form)), columns - 1))],
      text: "{}",
      enter: "sends it",
      onEnter(text) {
        const value = readJsonObject(text);
        if (typeof value === "string") host.complain(value);
        else send(value);
      },
    });
  }
  function opening(): Step {
    return {
      key: (key) => isEnter(key) && go(0),
      view: ({ columns }) => ({
        lines: [...head(columns), style.dim(`  ${fields?.length} fields`)],
        cursorAfter: undefined,
        keys: "Enter fills it in · Esc later",
      }),
    };
  }
  function go(index: number): true {
    at = index;
    const field = fields?.[index];
    step = field === undefined ? review() : fieldStep(field);
    return true;
  }
  function take(field: FormField, value: JsonValue | undefined): void {
    if (value === undefined) values.delete(field.name);
    else values.set(field.name, value);
    go(at + 1);
  }
  function fieldStep(field: FormField): Step {
    const { choices, isRequired, name } = field;
    const headOf = (columns: number): string[] => [
      ...head(columns),
      ...fieldHead(output, field, `${at + 1} of ${fields?.length}`, columns),
    ];
    if (choices !== undefined) {
      const all = choices.map(({ label }) => ({ label, hint: "" }));
      return createChoiceStep(output, {
        head: headOf,
        choices: isRequired ? all : [...all, { label: SKIP, hint: "" }],
        onChosen: (index) => take(field, choices[index]?.value),
        escape: "back",
      });
    }
    const before = values.get(name);
    return createEntryStep(output, {
      head: headOf,
      text: before === undefined ? field.initial : typeof before === "string" ? before : JSON.stringify(before),
      enter: isRequired ? "takes it" : "takes it; empty leaves it out",
      onEnter(text) {
        if (text === "" && !isRequired) return take(field, undefined);
        if (text === "") return host.complain("this has to be filled in");
        const read = field.read(text);
        if ("error" in read) host.complain(read.error);
        else take(field, read.value);
      },
    });
  }
  function review(): Step {
    return {
      key(key) {
        if (!isEnter(key)) return false;
        send(Object.fromEntries(values));
        return true;
      },
      view: ({ columns }) => ({
        lines: [
          ...head(columns),
          ...[...values].map(([name, value]) => {
            const label = fields?.find((field) => field.name === name)?.label ?? name;
            const shown = typeof value === "string" ? value : JSON.stringify(value);
            return shorten(`  ${foreignLine(label)}: ${foreignLine(shown)}`, columns - 1);
          }),
        ],
        cursorAfter: undefined,
        keys: "Enter sends it · Esc back",
      }),
    };
  }

  return {
    key: (key) => step.key(key),
    view: (room) => step.view(room),
    back() {
      if (at < 0) return false;
      if (at === 0) {
        at = -1;
        step = opening();
      } else go(at - 1);
      return true;
    },
  };
}

function fieldHead(output: Output, field: FormField, place: string, columns: number): string[] {
  const { style, foreignLine } = output;
  const { label, hint, isRequired } = field;
  const more = [place, isRequired ? "" : "may be left out", foreignLine(hint)].filter(Boolean).join(" · ");
  return wrapWords(`  ${style.bold(foreignLine(label))} ${style.dim(more)}`, columns - 1, { hang: 2 });
}
