import type { OrderRule } from "./demo-order.ts";
import { unquote, words } from "./demo-quoted.ts";
import { toTimezones } from "./demo-timezones.ts";

/** Everything that is asked for but files. */
export const OTHER_ORDERS: readonly OrderRule[] = [
  {
    pattern:
      /\bwhat(?:'s| is)? (?:the )?time(?: is it)?(?: it is)?(?: (?:now|right now))?(?: in (?<places>[^?!.\n]+))?/i,
    help: "what time is it? / what time is it in Tokyo and Paris? - calls the tool now, once for each place, then answers",
    read: ({ places }) =>
      (places === undefined ? [undefined] : toTimezones(places)).map((timezone) => ({
        tool: "now",
        args: timezone === undefined ? {} : { timezone },
        intro: "Let me look at the clock.",
      })),
  },
  {
    pattern:
      /^(?:run|execute)(?: the(?: shell)? command)?:?\s+(?<command>```[^]+?```|`[^`]+`|(?!the |an? |my |some |all |your |it\b|this\b|that\b)[^]+?)(?<background>\s+in the background)?[!?]?$/i,
    help: "run `ls -l` / run `sleep 60` in the background - calls shell",
    read({ command = "", background }) {
      const args = { command: unquote(command), ...(background !== undefined && { background: true }) };
      return args.command === "" ? [] : [{ tool: "shell", args, intro: `I will run \`${oneLine(args.command)}\`.` }];
    },
  },
  {
    pattern: /^(?:fetch|get|download|read|open|what(?:'s| is) (?:at|on))\s+(?<url>https?:\/\/[^\s`"'<>]+)/i,
    help: "fetch https://example.com - calls fetch_url",
    read({ url = "" }) {
      const plain = url.replace(/[.,;!?)]+$/, "");
      return [{ tool: "fetch_url", args: { url: plain }, intro: `I will fetch ${plain}.` }];
    },
  },
  {
    pattern: new RegExp(
      String.raw`^(?:have|let|ask|start)\s+(?:the |an? )?agent\s+(?:named |called )?${words("agent")}(?:\s+to\b|\s*:|\s+with)?\s+(?<task>[^]+)$`,
      "i",
    ),
    help: "ask the agent reviewer to look at hello.txt - calls run_agent",
    read: ({ agent = "", task = "" }) => [
      {
        tool: "run_agent",
        args: { agent: unquote(agent), task: unquote(task) },
        intro: `I will ask ${unquote(agent)}.`,
      },
    ],
  },
  {
    pattern:
      /^ask me\b(?:\s+(?:to fill in a form|for my name)(?<form>)|(?:\s+to choose)?\s+(?:between|from)\s+(?<choice>[^?!.]+)|\s*:?\s+(?!some|any|a question)(?<question>[^]+))?/i,
    help: "ask me something / ask me: which way? / ask me to choose between tea and coffee / ask me to fill in a form - calls ask_human",
    read: ({ form, choice, question }) => [
      { tool: "ask_human", args: form !== undefined ? FORM : askedFor(choice, question), intro: "I have a question." },
    ],
  },
  {
    pattern:
      /^(?:make|write|show)(?: me)? a (?:plan|to-?do list)\b(?:\s+(?:to|for)\s+(?<goal>[^]+?))?[.!]?$|^plan (?:to |for )?(?<aim>[^]+?)[.!]?$/i,
    help: "make a plan / make a plan to tidy up - calls todo",
    read({ goal, aim }) {
      const what = goal ?? aim ?? "greet the world";
      const items = [`see what there is to ${what}`, what, "look at what came of it"].map((text, index) => ({
        text: `${text.slice(0, 1).toUpperCase()}${text.slice(1, 400)}`,
        state: index === 0 ? "in_progress" : "pending",
      }));
      return [{ tool: "todo", args: { items }, intro: "Let me make a plan." }];
    },
  },
];

const FORM = {
  question: "Who are you?",
  form: {
    type: "object",
    properties: {
      name: { type: "string", title: "Your name", minLength: 1 },
      drink: { type: "string", title: "What you drink", enum: ["tea", "coffee", "water"] },
      cups: { type: "integer", title: "How many cups", minimum: 1, maximum: 9 },
    },
    required: ["name", "drink"],
  },
};

function askedFor(choice: string | undefined, question: string | undefined) {
  if (question !== undefined) return { question: `${unquote(question).replace(/\?*$/, "")}?` };
  const options =
    choice === undefined ? ["red", "green", "blue"] : choice.split(/\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+/);
  return { question: choice === undefined ? "Which colour do you like best?" : "Which one shall it be?", options };
}

function oneLine(command: string): string {
  const [first = "", ...more] = command.trim().split("\n");
  return more.length === 0 && first.length <= 80 ? first : `${first.slice(0, 80)} ...`;
}
