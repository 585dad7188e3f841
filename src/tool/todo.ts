import type { JsonObject, JsonValue } from "../message/message.ts";
import { MAX_TODO_CHARS, MAX_TODO_ITEMS, type TodoItem, type TodoState } from "../todo/todo.ts";
import type { Tool } from "./tool.ts";

const STATES: readonly TodoState[] = ["pending", "in_progress", "done"];

const item = {
  type: "object",
  properties: {
    text: { type: "string", maxLength: MAX_TODO_CHARS, description: "What is to be done, in a few words." },
    state: { type: "string", enum: STATES },
  },
  required: ["text", "state"],
  additionalProperties: false,
};

/** The tool `todo`: the list of what an agent means to do, which people see beside the conversation. */
export const todoTool: Tool = {
  name: "todo",
  description:
    "Keeps the list of what you mean to do, for work of several steps; people see it. Give the whole list each time: it takes the place of the one before. Set a step to in_progress when you begin it and to done as soon as it is. An empty list removes it.",
  parameters: {
    type: "object",
    properties: { items: { type: "array", maxItems: MAX_TODO_ITEMS, items: item } },
    required: ["items"],
    additionalProperties: false,
  },
  assess(args) {
    readItems(args);
    return { risk: { level: "none", reason: "it only keeps a list with the session" }, subjects: [] };
  },
  run: async (args) => {
    const items = readItems(args);
    return { text: summaryOf(items), todos: items };
  },
};

function readItems({ items, ...others }: JsonObject): TodoItem[] {
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`there is no argument ${JSON.stringify(other)}; give items alone`);
  if (!Array.isArray(items)) throw new Error("items must be a list of objects with text and state");
  if (items.length > MAX_TODO_ITEMS) throw new Error(`items: ${items.length}; a list holds at most ${MAX_TODO_ITEMS}`);
  return (items as readonly JsonValue[]).map((value, i) => readItem(value, `items[${i}]`));
}

function readItem(value: JsonValue, where: string): TodoItem {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${where} must be an object with text and state`);
  }
  const { text, state, ...others } = value as JsonObject;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`${where} has text and state alone, and no ${JSON.stringify(other)}`);
  if (typeof text !== "string" || text.trim() === "") throw new Error(`${where}.text must say what is to be done`);
  // A character may be two of the units that JavaScript counts.
  const length = text.length > MAX_TODO_CHARS ? Array.from(text).length : text.length;
  if (length > MAX_TODO_CHARS) throw new Error(`${where}.text has ${length} characters; at most ${MAX_TODO_CHARS}`);
  const known = STATES.find((one) => one === state);
  if (known === undefined) throw new Error(`${where}.state must be one of ${STATES.join(", ")}`);
  return { text: text.toWellFormed(), state: known };
}

function summaryOf(items: readonly TodoItem[]): string {
  if (items.length === 0) return "The list is empty.";
  const count = (state: TodoState): number => items.filter((one) => one.state === state).length;
  return `The list has ${items.length}: ${count("done")} done, ${count("in_progress")} in progress, ${count("pending")} to do.`;
}
