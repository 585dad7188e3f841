import { type TodoItem, TodoState } from "../../client/client.ts";
import type { Output } from "../output.ts";

/** What an agent means to do, a line each. */
export function todoLines({ style, foreignLine }: Output, items: readonly TodoItem[]): string[] {
  if (items.length === 0) return [style.dim("☐ nothing is left on the list")];
  return items.map(({ text, state }) => {
    const words = foreignLine(text);
    if (state === TodoState.DONE) return style.dim(`☑ ${words}`);
    return state === TodoState.IN_PROGRESS ? style.cyan(`▸ ${words}`) : `☐ ${words}`;
  });
}
