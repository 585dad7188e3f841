import { DomainError } from "../errors.ts";
import { findFormProblem } from "./form.ts";
import type { GivenAnswer, Question } from "./request.ts";

type Asked = Pick<Question, "options" | "form">;

/** Whether this may be the answer. Throws DomainError `INVALID_ANSWER`. */
export async function checkAnswer(asked: Asked, answer: GivenAnswer, field = "answer"): Promise<void> {
  const problem = await findProblem(asked, answer);
  if (problem === undefined) return;
  throw new DomainError("invalid", "INVALID_ANSWER", `${field}: ${problem}`, { field });
}

/** The answer that is given at the deadline has to be one, too. Throws DomainError `INVALID_ANSWER`. */
export async function checkDefaultAnswer(asked: Asked & Pick<Question, "defaultAnswer">): Promise<void> {
  if (asked.defaultAnswer !== undefined) await checkAnswer(asked, asked.defaultAnswer, "default_answer");
}

/** Why it may not; what to do instead. */
async function findProblem({ options, form }: Asked, answer: GivenAnswer): Promise<string | undefined> {
  switch (answer.kind) {
    case "option":
      if (options.some(({ id }) => id === answer.optionId)) return undefined;
      return options.length === 0
        ? `the request has no options; answer with ${form === undefined ? "text" : "form"}`
        : `option_id must be one of ${options.map(({ id }) => id).join(", ")}`;
    case "text":
      if (options.length > 0) return "the request has options; answer with the option_id of one of them";
      if (form !== undefined) return "the request has a form; answer with form";
      return answer.text.trim() === "" ? "text says nothing; dismiss the request where there is no answer" : undefined;
    case "form":
      if (form === undefined)
        return `the request has no form; answer with ${options.length > 0 ? "option_id" : "text"}`;
      return findFormProblem(form, answer.form);
  }
}
