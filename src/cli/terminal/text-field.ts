import type { Output } from "../output.ts";
import { editedView, type EditedView, textAround } from "./edited-view.ts";
import { type EditedText, editKey, insert, type Key, moveLine, typedText } from "./line-editor.ts";

/** A text that is asked for: the keys of the prompt's line, without its history. */
export interface TextField {
  readonly text: string;
  /** True where the key was for it: anything but Enter, Escape and what leads elsewhere. */
  key(key: Key): boolean;
  view(output: Output, columns: number, rows: number): EditedView;
}

export function createTextField(text = ""): TextField {
  let edited: EditedText = typedText(text);
  let pasted: string[] | undefined;

  function press(key: Key): boolean {
    const { name = "", ctrl = false, meta = false } = key;
    const moved =
      !meta && !ctrl && (name === "up" || name === "down") ? moveLine(edited, name === "up" ? -1 : 1) : undefined;
    const now = moved ?? editKey(edited, key);
    if (now === undefined) return false;
    edited = now;
    return true;
  }

  return {
    get text() {
      return edited.text;
    },
    key(key) {
      if (key.name === "paste-start") pasted = [];
      else if (key.name === "paste-end") {
        edited = insert(edited, (pasted ?? []).join(""));
        pasted = undefined;
      } else if (pasted !== undefined) pasted.push(key.sequence ?? "");
      else return press(key);
      return true;
    },
    view: (output, columns, rows) => editedView(textAround(output, output.style.cyan("›"), edited), columns, rows),
  };
}
