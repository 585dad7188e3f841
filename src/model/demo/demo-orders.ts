import { clausesOf, type Clause } from "./demo-clauses.ts";
import { FILE_ORDERS } from "./demo-file-orders.ts";
import type { Order, OrderPlace, OrderRule } from "./demo-order.ts";
import { OTHER_ORDERS } from "./demo-other-orders.ts";

export interface Orders {
  /** What is done one after another; each step is made of calls that are made at once. */
  readonly steps: readonly (readonly Order[])[];
  /** The message without them. */
  readonly rest: string;
}

/** No order is longer, and a longer text is not searched for them. */
const MAX_CHARS = 4000;
const POLITENESS =
  /^\s*(?:(?:please|now|also|so|then|and|hey|ok|okay|first|can you|could you|would you|i want you to|i would like you to|use the shell to|let us|let's|slowly|quickly|think)[,\s]+)*/i;

/** Finds what a message asks to be done. `file` is what "it" means where the message names no file before. */
export function readOrders(message: string, file?: string): Orders {
  if (message.length > MAX_CHARS) return { steps: [], rest: message };
  const steps: Order[][] = [];
  let rest = "";
  let place: OrderPlace = { file };
  for (const clause of clausesOf(message)) {
    const { orders, left } = readClause(clause, place);
    rest += ` ${left}`;
    place = { file: fileOf(orders) ?? namedIn(clause) ?? place.file };
    const last = steps.at(-1);
    if (orders.length === 0) continue;
    if (last === undefined || clause.isLater || needs(orders, last)) steps.push([...orders]);
    else last.push(...orders);
  }
  return { steps, rest: steps.length === 0 ? message : rest };
}

export const ORDER_RULES: readonly OrderRule[] = [...OTHER_ORDERS, ...FILE_ORDERS];

function readClause({ text }: Clause, place: OrderPlace): { orders: readonly Order[]; left: string } {
  const polite = POLITENESS.exec(text)?.[0] ?? "";
  const plain = text.slice(polite.length);
  for (const { pattern, read } of ORDER_RULES) {
    const found = pattern.exec(plain);
    if (found === null) continue;
    const orders = read(
      Object.fromEntries(Object.entries(found.groups ?? {}).filter(([, one]) => one !== undefined)),
      place,
    );
    if (orders.length === 0) continue;
    return { orders, left: polite + plain.slice(0, found.index) + plain.slice(found.index + found[0].length) };
  }
  return { orders: [], left: text };
}

/** "in notes.txt, change this to that" is taken apart at its comma. */
function namedIn({ text }: Clause): string | undefined {
  return /^in (?:the file )?(?<file>\S*[./]\S*)$/.exec(text.trim())?.groups?.["file"];
}

function fileOf(orders: readonly Order[]): string | undefined {
  return orders.map(({ args }) => args["path"]).findLast((path) => typeof path === "string");
}

/** Whether one of the calls is about a file that another one of a step is about too. */
function needs(orders: readonly Order[], step: readonly Order[]): boolean {
  const file = fileOf(orders);
  return file !== undefined && step.some(({ args }) => args["path"] === file);
}
