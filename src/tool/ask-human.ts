import type { JsonObject, JsonValue } from "../message/message.ts";
import { checkNames, findText, readText } from "./file/file-arguments.ts";
import type { HumanQuestion, QuestionOption, WaitingTool } from "./tool.ts";

const ASK_HUMAN = "ask_human";

/** As a request takes them. */
const MAX_TITLE_CHARS = 500;
const MAX_DETAILS_CHARS = 64 * 1024;
const MAX_OPTIONS = 50;
const MAX_LABEL_CHARS = 500;

const parameters = {
  type: "object",
  properties: {
    question: { type: "string", maxLength: MAX_TITLE_CHARS, description: "The question, in one line." },
    details: { type: "string", description: "More about it, in Markdown: what depends on the answer." },
    options: {
      type: "array",
      maxItems: MAX_OPTIONS,
      items: { type: "string" },
      description: "The answers to choose from. Left out = the human writes what they like.",
    },
    form: {
      type: "object",
      description: "JSON Schema of an object with the fields to fill in; instead of options.",
    },
  },
  required: ["question"],
  additionalProperties: false,
};

/** The tool `ask_human`: the call waits until somebody answers, also over restarts, and the answer is its result. */
export const askHumanTool: WaitingTool = {
  name: ASK_HUMAN,
  description:
    "Asks the human, and waits for the answer, which may take long. Ask where you cannot go on without knowing what they want, and for nothing that you can find out yourself.",
  parameters,
  assess(args) {
    readQuestion(args);
    return { risk: { level: "none", reason: "it only asks a human" }, subjects: [] };
  },
  waitFor: (args) => ({ kind: "human", question: readQuestion(args) }),
};

/** Throws with a message for the model. */
function readQuestion(args: JsonObject): HumanQuestion {
  checkNames(args, parameters.properties);
  const title = readText(args, "question").trim().toWellFormed();
  if (title === "") throw new Error("question must say what is asked");
  if (title.length > MAX_TITLE_CHARS) {
    throw new Error(`question has ${title.length} characters; at most ${MAX_TITLE_CHARS}, and more in details`);
  }
  const body = (findText(args, "details") ?? "").toWellFormed();
  if (body.length > MAX_DETAILS_CHARS) throw new Error(`details must have at most ${MAX_DETAILS_CHARS} characters`);
  const options = readOptions(args["options"] ?? undefined);
  const form = args["form"] ?? undefined;
  if (form === undefined) return { title, body, options };
  if (!isObject(form)) throw new Error("form must be a JSON Schema, an object");
  if (options.length > 0) throw new Error("give options or a form, not both");
  return { title, body, options, form };
}

function readOptions(value: JsonValue | undefined): QuestionOption[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error("options must be a list of texts");
  const labels = (value as readonly JsonValue[]).map((label, i) => {
    if (typeof label !== "string" || label.trim() === "") throw new Error(`options[${i}] must be a text`);
    if (label.length > MAX_LABEL_CHARS) {
      throw new Error(`options[${i}] must have at most ${MAX_LABEL_CHARS} characters`);
    }
    return label.trim().toWellFormed();
  });
  if (labels.length > MAX_OPTIONS) throw new Error(`options: ${labels.length}; at most ${MAX_OPTIONS}`);
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new Error(`options: ${JSON.stringify(twice)} is there twice`);
  return labels.map((label, i) => ({ id: String(i + 1), label, description: "" }));
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
