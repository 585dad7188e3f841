import { InvalidArgumentError } from "commander";

/** For options that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** An end of an audit log, as it is shown; for options that may be given several times. */
export function collectEnd(text: string, previous: readonly string[] | undefined): readonly string[] {
  if (/^\d{1,15}:[0-9a-f]{64}$/i.test(text)) return collect(text, previous);
  throw new InvalidArgumentError("write it like 12:9f86d0..., with 64 hexadecimal digits.");
}

type Pairs = Readonly<Record<string, string>>;

/** `name=value`, or a name alone; for options that may be given several times. */
export function collectPair(text: string, before: Pairs | undefined): Pairs {
  const [name = "", ...value] = text.split("=");
  if (name === "") throw new InvalidArgumentError("write it like name=value.");
  return { ...before, [name]: value.join("=") };
}

export function toSeq(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("give the number of an event, 0 or more.");
}

export function toLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a number, 0 for all.");
}

export function toCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a number, 0 or more.");
}

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** How long it may be is for the engine to say. */
export function toSpanMs(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (count !== "" && Number(count) > 0) return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  throw new InvalidArgumentError("give a number and its unit: s, m, h, d or w, such as 30d");
}
