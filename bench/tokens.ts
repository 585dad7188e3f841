import { createHash } from "node:crypto";

/** What the upstream is asked for; it travels as the name of the model, so that the engine needs to know nothing of it. */
export interface Answer {
  readonly tokens: number;
  /** 0 = as fast as it can. */
  readonly perSecond: number;
}

// As long as real tokens are, and some that are more than one byte a character.
const WORDS =
  " the| model| answers| with| tok|ens|,| and| none| of| them| may| be| lost|.| naïve| 日本|🙂| or| twice|;".split("|");

export function tokenAt(index: number): string {
  return WORDS[index % WORDS.length] ?? "";
}

export function textOf({ tokens }: Answer): string {
  return Array.from({ length: tokens }, (_, i) => tokenAt(i)).join("");
}

export function modelOf({ tokens, perSecond }: Answer): string {
  return `bench-${tokens}-${perSecond}`;
}

export function answerOf(model: string): Answer | undefined {
  const [, tokens, perSecond] = /^bench-(\d+)-(\d+)$/.exec(model) ?? [];
  return tokens === undefined ? undefined : { tokens: Number(tokens), perSecond: Number(perSecond) };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
