import type { Output } from "../output.ts";
import { shorten } from "../terminal/width.ts";
import { charOf, isEnter, type Step } from "./step.ts";

export interface Choice {
  readonly label: string;
  readonly hint: string;
}

export interface ChoiceOptions {
  /** What is asked, as rows. */
  readonly head: (columns: number) => readonly string[];
  readonly choices: readonly Choice[];
  readonly onChosen: (index: number) => void;
  /** What Escape does. */
  readonly escape?: string;
}

/** One of several: by its number, or by arrows and Enter. */
export function createChoiceStep(output: Output, { head, choices, onChosen, escape = "later" }: ChoiceOptions): Step {
  const { style, foreignLine } = output;
  let selected = 0;
  // Of more than nine, a number may have two digits, and Enter ends it.
  let typed = "";

  function choose(number: string): boolean {
    const index = Number(typed + number) - 1;
    if (choices[index] === undefined) {
      typed = "";
      return false;
    }
    selected = index;
    if (choices.length <= 9) onChosen(index);
    else typed += number;
    return true;
  }
  return {
    key(key) {
      const char = charOf(key);
      if (char !== undefined && /^\d$/.test(char)) return choose(char);
      typed = "";
      if (isEnter(key)) onChosen(selected);
      else if (key.name === "up") selected = (selected + choices.length - 1) % choices.length;
      else if (key.name === "down") selected = (selected + 1) % choices.length;
      else return false;
      return true;
    },
    view({ columns, rows }) {
      const above = head(columns);
      const room = Math.max(1, rows - above.length);
      const from = Math.max(0, Math.min(selected - Math.floor(room / 2), choices.length - room));
      const lines = choices.slice(from, from + room).map(({ label, hint }, index) => {
        const isSelected = from + index === selected;
        const more = hint === "" ? "" : ` · ${foreignLine(hint)}`;
        const line = shorten(`${isSelected ? "›" : " "} ${from + index + 1} ${foreignLine(label)}${more}`, columns - 2);
        return `  ${isSelected ? style.cyan(line) : line}`;
      });
      const keys = choices.length <= 9 ? `1 to ${choices.length} chooses` : "a number and Enter chooses";
      return { lines: [...above, ...lines], cursorAfter: undefined, keys: `${keys} · ↑↓ and Enter · Esc ${escape}` };
    },
  };
}
