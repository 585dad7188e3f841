import { shorten } from "./width.ts";

const MAX_TITLE = 60;

/** What a session is called in lists until somebody names it: its first words. */
export function titleOf(text: string): string {
  return shorten(text.trim().replace(/\s+/g, " "), MAX_TITLE);
}
