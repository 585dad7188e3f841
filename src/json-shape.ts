/** Why a value from outside is not what it should be; `where` leads to it. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";

  constructor(where: string, problem: string) {
    super(where === "" ? problem : `${where}: ${problem}`);
  }
}

/** Answers the value it is given, known to be what it should be, or throws `ShapeError`. */
export type Shape<T> = (value: unknown, where: string) => T;

export interface TextBounds {
  readonly maxChars?: number;
  readonly maxBytes?: number;
  readonly pattern?: RegExp;
}

export function text({ maxChars = Infinity, maxBytes = Infinity, pattern }: TextBounds = {}): Shape<string> {
  return (value, where) => {
    if (typeof value !== "string") throw new ShapeError(where, "must be a string");
    // A character may be two of the units that JavaScript counts.
    if (value.length > maxChars && Array.from(value).length > maxChars)
      throw new ShapeError(where, `must have at most ${maxChars} characters`);
    if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes)
      throw new ShapeError(where, `must have at most ${maxBytes} bytes`);
    if (pattern !== undefined && !pattern.test(value)) throw new ShapeError(where, `must match ${pattern.source}`);
    return value;
  };
}

export function whole(min: number, max: number): Shape<number> {
  return (value, where) => {
    if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
    throw new ShapeError(where, `must be a whole number from ${min} to ${max}`);
  };
}

export const flag: Shape<boolean> = (value, where) => {
  if (typeof value === "boolean") return value;
  throw new ShapeError(where, "must be true or false");
};

export function oneOf<T extends string>(...known: readonly T[]): Shape<T> {
  return (value, where) => {
    const found = known.find((one) => one === value);
    if (found !== undefined) return found;
    throw new ShapeError(where, `must be one of ${known.join(", ")}`);
  };
}

export function listOf<T>(item: Shape<T>): Shape<T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw new ShapeError(where, "must be a list");
    for (const [i, one] of value.entries()) item(one, `${where}[${i}]`);
    return value as T[];
  };
}

/** An object of any names with values of one shape. */
export function mapOf<T>(name: Shape<string>, item: Shape<T>, maxPairs: number): Shape<Record<string, T>> {
  return (value, where) => {
    const pairs = Object.entries(plainObject(value, where));
    if (pairs.length > maxPairs) throw new ShapeError(where, `must have at most ${maxPairs} entries`);
    for (const [key, one] of pairs) {
      name(key, `a name in ${where}`);
      item(one, `${where}.${key.slice(0, 64)}`);
    }
    return value as Record<string, T>;
  };
}

/** An object of exactly these fields. What is not known is refused: to leave it out would lose it without a word. */
export function object<Fields, Optional = object>(
  fields: { readonly [Name in keyof Fields]: Shape<Fields[Name]> },
  optional: { readonly [Name in keyof Optional]: Shape<Optional[Name]> } = {} as never,
): Shape<Fields & Partial<Optional>> {
  const known = new Map<string, Shape<unknown>>(Object.entries<Shape<unknown>>({ ...fields, ...optional }));
  const needed = Object.keys(fields);
  return (value, where) => {
    const given = plainObject(value, where);
    const under = where === "" ? "" : `${where}.`;
    for (const name of needed) if (!Object.hasOwn(given, name)) throw new ShapeError(`${under}${name}`, "is missing");
    for (const [name, inner] of Object.entries(given)) {
      const shape = known.get(name);
      if (shape === undefined) throw new ShapeError(`${under}${name.slice(0, 64)}`, "is not known to this version");
      shape(inner, `${under}${name}`);
    }
    return given as Fields & Partial<Optional>;
  };
}

export function plainObject(value: unknown, where: string): object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new ShapeError(where, "must be an object");
}
