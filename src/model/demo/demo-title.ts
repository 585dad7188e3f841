const MAX_WORDS = 6;

/** Orders of how to answer, which say nothing of what a conversation is about. */
const MANNERS = /\b(?:please|as fast as you can|slowly|at [\d,]+ words (?:a|per) second)\b/gi;

/** What the demo model calls a conversation that begins so: its first words, as a title is written. */
export function demoTitle(message: string): string {
  const about = /\becho: ?([^]*)$/i.exec(message)?.[1] ?? message;
  const words = (about.replace(MANNERS, " ").match(/\S+/gu) ?? about.match(/\S+/gu) ?? []).slice(0, MAX_WORDS);
  const title = words.join(" ").replace(/[\s.,;:!]+$/u, "");
  return title.replace(/^\p{Ll}/u, (letter) => letter.toUpperCase());
}
