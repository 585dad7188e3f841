import type { DescEnum } from "@bufbuild/protobuf";
import type { Violation } from "@bufbuild/protovalidate";

/** What is wrong with a field, as whoever wrote it in JSON knows it: the validator tells the numbers of an enum, and counts what is missing. */
export function fieldWords({ field, ruleId, message }: Violation): string {
  if (/^must (be at least 1 characters|contain at least 1 item\(s\))$/.test(message)) return "must not be empty";
  const last = field.findLast((step) => step.kind === "field");
  return last?.enum !== undefined && ruleId.startsWith("enum.") ? `must be ${namesOf(last.enum, message)}` : message;
}

/** The names that a rule on an enum allows; its numbers stand in the validator's message. */
function namesOf({ values }: DescEnum, message: string): string {
  const numbers = message.match(/\d+/g)?.map(Number) ?? [];
  const isListed = message.startsWith("must be in list");
  // 0 stands for a field that was left out.
  const allowed = values.filter(
    ({ number }) => number !== 0 && (numbers.length === 0 || numbers.includes(number) === isListed),
  );
  const names = allowed.map(({ name }) => name);
  return names.length === 1 ? String(names[0]) : `one of ${names.join(", ")}`;
}
