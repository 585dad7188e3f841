import type { Key } from "../terminal/line-editor.ts";

/** How much of a terminal there is. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

export interface StepView {
  readonly lines: readonly string[];
  /** Where the cursor stands, after this much of the lines; undefined = nowhere. */
  readonly cursorAfter: string | undefined;
  /** What keys do, in a few words. */
  readonly keys: string;
}

/** One thing that a human is asked, with the keys that answer it. */
export interface Step {
  /** False where the key means nothing here. */
  key(key: Key): boolean;
  view(room: Room): StepView;
}

/** The character that a key types; undefined where it types none. */
export function charOf({ ctrl, meta, sequence = "" }: Key): string | undefined {
  // oxlint-disable-next-line no-control-regex -- keys that type nothing send them
  return ctrl !== true && meta !== true && /^[^\u0000-\u001F\u007F]$/u.test(sequence) ? sequence : undefined;
}

export function isEnter({ name, meta }: Key): boolean {
  return (name === "return" || name === "enter") && meta !== true;
}
