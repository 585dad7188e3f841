import type { JsonObject } from "../message/message.ts";
import { checkNames, readText } from "./file/file-arguments.ts";
import type { WaitingTool } from "./tool.ts";

export const RUN_AGENT = "run_agent";

const MAX_TASK_CHARS = 64 * 1024;

const parameters = {
  type: "object",
  properties: {
    agent: { type: "string", description: "The name of the agent." },
    task: {
      type: "string",
      description: "What it is to do, with all that it has to know: it sees nothing of this conversation.",
    },
  },
  required: ["agent", "task"],
  additionalProperties: false,
};

/** The tool `run_agent`: another agent does a task in a session of its own; what it says last is the result of the call. */
export const runAgentTool: WaitingTool = {
  name: RUN_AGENT,
  description:
    "Has another agent do a task and waits for what it says. It works in the same folder. Several calls in one answer work side by side.",
  parameters,
  assess(args) {
    const { agent } = readTask(args);
    const reason = `it starts the agent ${JSON.stringify(agent)}, whose own calls are decided on one by one`;
    return { risk: { level: "none", reason }, subjects: [] };
  },
  waitFor: (args) => ({ kind: "agent", ...readTask(args) }),
};

/** Throws with a message for the model. */
function readTask(args: JsonObject): { readonly agent: string; readonly task: string } {
  checkNames(args, parameters.properties);
  const agent = readText(args, "agent").trim();
  const task = readText(args, "task").trim().toWellFormed();
  if (agent === "") throw new Error("agent must be the name of an agent");
  if (task === "") throw new Error("task must say what is to be done");
  if (task.length > MAX_TASK_CHARS) throw new Error(`task has ${task.length} characters; at most ${MAX_TASK_CHARS}`);
  return { agent: agent.slice(0, 128), task };
}
