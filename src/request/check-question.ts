import { invalidField } from "../errors.ts";
import type { GivenAnswer, Question } from "./request.ts";

/** As JSON, each: so that one request is never too large for a message. */
const MAX_JSON_BYTES = 64 * 1024;

/** Throws DomainError `INVALID_FIELD`. */
export function checkQuestion(question: Omit<Question, "deadlineMs">): void {
  const { title, context, options, form, defaultAnswer } = question;
  if (title.trim() === "") throw invalidField("title", "must say what is asked");
  checkSize("context", context);
  checkSize("options", options);
  checkSize("form", form);
  if (defaultAnswer !== undefined) checkAnswerSize(defaultAnswer, "default_answer");
  const seen = new Set<string>();
  for (const [i, { id }] of options.entries()) {
    if (seen.has(id)) throw invalidField(`options[${i}].id`, "is the id of another option, too; give each its own");
    seen.add(id);
  }
}

/** Throws DomainError `INVALID_FIELD`. */
export function checkAnswerSize(answer: GivenAnswer, field = "answer"): void {
  if (answer.kind === "form") checkSize(`${field}.form`, answer.form);
}

function checkSize(field: string, value: unknown): void {
  if (value === undefined || Buffer.byteLength(JSON.stringify(value)) <= MAX_JSON_BYTES) return;
  throw invalidField(field, `must have at most ${MAX_JSON_BYTES} bytes as JSON`);
}
