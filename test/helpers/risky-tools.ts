import type { JsonObject } from "../../src/message/message.ts";
import type { RiskLevel, Subject, Tool, ToolResult } from "../../src/tool/tool.ts";

const LEVELS: readonly RiskLevel[] = ["none", "read", "edit", "safe", "destructive", "unknown"];

/** Tools that do nothing, each with the risk it is named after, and what became of their calls. */
export interface RiskyTools {
  readonly tools: Tool[];
  /** What ran, in order: the tool and its arguments. */
  readonly ran: string[];
  /** Lets all that hang go on. */
  release(): void;
}

/**
 * Their arguments say what a call is like: `path` (a file that it writes), `wrong` (assessing fails), `diff` (what it would
 * change), `hang` (it runs until it is released or stopped).
 */
export function createRiskyTools(): RiskyTools {
  const ran: string[] = [];
  const waiting = new Set<() => void>();

  async function run(name: string, args: JsonObject, signal: AbortSignal): Promise<ToolResult> {
    ran.push(`${name} ${JSON.stringify(args)}`);
    if (args["hang"] === true) {
      await new Promise<void>((resolve, reject) => {
        waiting.add(resolve);
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
    }
    return { text: `did ${name}` };
  }

  const toolOf = (level: RiskLevel): Tool => ({
    name: level,
    description: `Does something whose risk is ${level}.`,
    parameters: { type: "object" },
    assess(args) {
      if (args["wrong"] !== undefined) throw new Error("wrong must not be given");
      return { risk: { level, reason: `it is ${level}` }, subjects: subjectsOf(args) };
    },
    preview: async ({ diff }) => (typeof diff === "string" ? diff : ""),
    run: (args, { signal }) => run(level, args, signal),
  });
  return {
    tools: LEVELS.map(toolOf),
    ran,
    release() {
      for (const resolve of waiting) resolve();
      waiting.clear();
    },
  };
}

function subjectsOf({ path }: JsonObject): Subject[] {
  return typeof path === "string" ? [{ kind: "path", access: "write", path, given: path }] : [];
}
