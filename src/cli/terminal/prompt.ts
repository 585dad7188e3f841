import { createHistoryWalk } from "./history-walk.ts";
import { type EditedText, editKey, EMPTY_TEXT, insert, type Key, moveLine, typedText } from "./line-editor.ts";
import type { TypedHistory } from "./typed-history.ts";

/** Something that Tab can put in the place of the text. */
export interface Candidate {
  /** The whole text. */
  readonly text: string;
  /** What stands in the list of them. */
  readonly label: string;
  readonly hint: string;
}

export interface PromptState {
  readonly edited: EditedText;
  readonly search: { readonly text: string; readonly found: string | undefined } | undefined;
  /** What Tab would choose from. */
  readonly candidates: readonly Candidate[];
}

/** What a human types at, key by key. */
export interface Prompt {
  readonly state: PromptState;
  key(key: Key): void;
  set(text: string): void;
}

export interface PromptListener {
  onSubmit(text: string): void;
  /** Ctrl-C on an empty line. On another one it empties the line. */
  onInterrupt(): void;
  /** Ctrl-D on an empty line. */
  onEnd(): void;
  onSuspend(): void;
  onClearScreen(): void;
}

export interface PromptOptions {
  readonly history: TypedHistory;
  readonly complete: (text: string) => readonly Candidate[];
  readonly listener: PromptListener;
}

export function createPrompt({ history, complete, listener }: PromptOptions): Prompt {
  const walk = createHistoryWalk(history.lines);
  let edited = EMPTY_TEXT;
  // Tab goes through what there was to choose from when it was pressed first.
  let cycle: { readonly candidates: readonly Candidate[]; readonly index: number } | undefined;
  let pasted: string[] | undefined;

  function set(text: string): void {
    edited = typedText(text, edited);
  }
  function submit(): void {
    if (edited.text.endsWith("\\")) {
      edited = insert({ ...edited, text: edited.text.slice(0, -1), cursor: edited.text.length - 1 }, "\n");
      return;
    }
    const { text } = edited;
    set("");
    walk.stop();
    if (text.trim() === "") return;
    history.add(text);
    listener.onSubmit(text);
  }
  function interrupt(): void {
    walk.stop();
    if (edited.text === "") listener.onInterrupt();
    else set("");
  }
  function upOrDown(by: -1 | 1): void {
    const moved = moveLine(edited, by);
    if (moved !== undefined) edited = moved;
    else {
      const line = by < 0 ? walk.older(edited.text) : walk.newer();
      if (line !== undefined) set(line);
    }
  }
  function tab(by: -1 | 1): void {
    if (cycle === undefined) {
      const candidates = complete(edited.text);
      const common = commonStart(candidates.map(({ text }) => text));
      if (candidates.length === 0) return;
      if (common.length > edited.text.length) return set(common);
      cycle = { candidates, index: by < 0 ? 0 : -1 };
    }
    const { candidates } = cycle;
    const index = (cycle.index + by + candidates.length) % candidates.length;
    set(candidates[index]?.text ?? "");
    cycle = { candidates, index };
  }

  /** True where the key was for the search. */
  function searchKey(key: Key): boolean {
    const { searching } = walk;
    if (searching === undefined) return false;
    if (key.ctrl === true && key.name === "r") walk.search();
    else if (key.name === "backspace") walk.seek(searching.text.slice(0, -1));
    else if (key.ctrl === true && (key.name === "g" || key.name === "c")) walk.stop();
    else if (isText(key)) walk.seek(searching.text + key.sequence);
    else {
      const { found } = searching;
      walk.stop();
      if (found !== undefined) set(found);
      // Return sends it; any other key goes on from it.
      return key.name === "escape" || key.name === "tab";
    }
    return true;
  }

  function press(key: Key): void {
    const { name = "", ctrl = false, meta = false } = key;
    if (searchKey(key)) return;
    if (name !== "tab") cycle = undefined;
    // A line feed too: what was typed before the terminal was ours has its returns turned into it.
    if ((name === "return" || name === "enter") && !meta) return submit();
    if (name === "tab") tab(key.shift === true ? -1 : 1);
    else if (ctrl && name === "c") interrupt();
    else if (ctrl && name === "d" && edited.text === "") listener.onEnd();
    else if (ctrl && name === "r") walk.search();
    else if (ctrl && name === "l") listener.onClearScreen();
    else if (ctrl && name === "z") listener.onSuspend();
    else if (!meta && (name === "up" || (ctrl && name === "p"))) upOrDown(-1);
    else if (!meta && (name === "down" || (ctrl && name === "n"))) upOrDown(1);
    else edited = editKey(edited, key) ?? edited;
  }

  return {
    get state() {
      const candidates = cycle?.candidates ?? (edited.text.startsWith("/") ? complete(edited.text) : []);
      return { edited, search: walk.searching, candidates };
    },
    key(key) {
      // Between the brackets of a paste nothing is a key; it is put in at once, however long it is.
      if (key.name === "paste-start") pasted = [];
      else if (key.name === "paste-end") {
        edited = insert(edited, (pasted ?? []).join(""));
        pasted = undefined;
      } else if (pasted !== undefined) pasted.push(key.sequence ?? "");
      else press(key);
    },
    set,
  };
}

function isText({ ctrl, meta, sequence = "" }: Key): boolean {
  // oxlint-disable-next-line no-control-regex -- keys that are no text send them
  return ctrl !== true && meta !== true && /^[^\u0000-\u001F\u007F]+$/u.test(sequence);
}

function commonStart(texts: readonly string[]): string {
  const [first = "", ...others] = texts;
  let length = first.length;
  for (const text of others) while (!text.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
