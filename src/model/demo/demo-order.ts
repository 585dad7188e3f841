import type { JsonObject } from "../../message/message.ts";

/** A tool call that is asked for in plain words. */
export interface Order {
  readonly tool: string;
  readonly args: JsonObject;
  /** What is said before it is made. */
  readonly intro: string;
}

/** A way to ask for calls. */
export interface OrderRule {
  /** Held against a clause without the words of politeness before it. */
  readonly pattern: RegExp;
  /** How the answer to "help" explains it; several rules may share one. */
  readonly help?: string;
  /** Empty = it is none after all. */
  readonly read: (groups: Readonly<Record<string, string>>, place: OrderPlace) => readonly Order[];
}

export interface OrderPlace {
  /** The file that was spoken of last; undefined = none was. */
  readonly file: string | undefined;
}
