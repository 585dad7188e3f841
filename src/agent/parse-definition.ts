import { APPROVAL_MODES, type ApprovalMode } from "../permission/approval-mode.ts";
import type { Limits } from "../turn/turn.ts";
import { AGENT_NAME, NO_SETTINGS, type AgentSettings } from "./agent.ts";
import {
  DefinitionError,
  fieldsBelow,
  namesOf,
  readFields,
  spanMsOf,
  splitFile,
  textOf,
  wholeOf,
  wrong,
  type Field,
} from "./front-matter.ts";

/** As much as a session's system prompt may be. */
const MAX_INSTRUCTIONS_BYTES = 256 * 1024;
const MAX_TOOLS = 256;
const MAX_AGENTS = 64;
const HOUR_MS = 3_600_000;

/** What definitions may name. */
export interface Known {
  hasTool(name: string): boolean;
  hasProfile(name: string): boolean;
}

/** What a setting is read with. */
interface Scope {
  readonly fileName: string;
  readonly known: Known;
  /** What is wrong is put here, so that a human is told all of it at once. */
  readonly mistakes: DefinitionError[];
}

/** How each setting that there is is read. */
const SETTINGS: Readonly<Record<string, (field: Field, scope: Scope) => Partial<AgentSettings>>> = {
  name(field, { fileName }) {
    if (textOf(field, 64) !== fileName) throw wrong(field, `must be ${fileName}, as the file is named`);
    return {};
  },
  description: (field) => ({ description: textOf(field, 1000) }),
  profile(field, { known }) {
    const profile = textOf(field, 128);
    if (!known.hasProfile(profile)) throw wrong(field, `there is no profile ${JSON.stringify(profile)}`);
    return { profile };
  },
  model: (field) => ({ model: textOf(field, 256) }),
  tools(field, { known }) {
    const tools = namesOf(field, MAX_TOOLS);
    const unknown = tools.find((name) => !known.hasTool(name));
    if (unknown !== undefined) throw wrong(field, `there is no tool ${JSON.stringify(unknown)}`);
    return { tools };
  },
  mode: (field) => ({ approvalMode: readMode(field) }),
  agents: (field) => ({ agents: readAgents(field) }),
  mcp_servers(field) {
    throw wrong(field, "this engine has no MCP servers; leave it out");
  },
  limits: (field, scope) => ({ limits: readAll<Partial<Limits>>(LIMITS, fieldsBelow(field), {}, scope) }),
};

const LIMITS: Readonly<Record<string, (field: Field) => Partial<Limits>>> = {
  max_steps: (field) => ({ maxSteps: wholeOf(field, 1, 10_000) }),
  max_tokens: (field) => ({ maxTokens: wholeOf(field, 0, Number.MAX_SAFE_INTEGER) }),
  max_working_time: (field) => ({ maxWorkingTimeMs: spanMsOf(field, 168 * HOUR_MS) }),
  max_silence: (field) => ({ maxSilenceMs: spanMsOf(field, HOUR_MS) }),
  max_silence_before_first: (field) => ({ maxSilenceBeforeFirstMs: spanMsOf(field, HOUR_MS) }),
};

/** What a definition's file says, or everything that is wrong in it. */
export function parseDefinition(
  text: string,
  fileName: string,
  known: Known,
): AgentSettings & { readonly error: string } {
  const mistakes: DefinitionError[] = [];
  const settings = collect(mistakes, () => parseSettings(text, { fileName, known, mistakes }));
  if (settings !== undefined && mistakes.length === 0) return { ...settings, error: "" };
  return { ...NO_SETTINGS, error: mistakes.map(({ message }) => message).join("; ") };
}

/** Undefined where it is wrong. */
function collect<T>(mistakes: DefinitionError[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    mistakes.push(error);
    return undefined;
  }
}

/** Throws `DefinitionError` where no settings can be told from the rest. */
function parseSettings(text: string, scope: Scope): AgentSettings {
  const { yaml, body } = splitFile(text);
  const { mistakes } = scope;
  if (Buffer.byteLength(body) > MAX_INSTRUCTIONS_BYTES) {
    mistakes.push(new DefinitionError(1, `the instructions must have at most ${MAX_INSTRUCTIONS_BYTES / 1024} KiB`));
  }
  const fields = readFields(yaml);
  const settings = readAll(SETTINGS, fields, { ...NO_SETTINGS, instructions: body }, scope);
  if (!fields.some(({ name }) => name === "description")) {
    mistakes.push(new DefinitionError(1, "description: is missing; say in a line what the agent is for"));
  }
  return settings;
}

/** What is not known is refused, by its name: to leave it out would lose it without a word. */
function readAll<T extends object>(
  known: Readonly<Record<string, (field: Field, scope: Scope) => Partial<T>>>,
  fields: readonly Field[],
  begin: T,
  scope: Scope,
): T {
  return fields.reduce((said, field) => {
    const read = Object.hasOwn(known, field.name) ? known[field.name] : undefined;
    const setting = collect(scope.mistakes, () => {
      if (read !== undefined) return read(field, scope);
      throw wrong(field, `is not known; known are ${Object.keys(known).join(", ")}`);
    });
    return { ...said, ...setting };
  }, begin);
}

function readMode(field: Field): ApprovalMode {
  const word = textOf(field, 64).toLowerCase().replaceAll("-", "_");
  const mode = APPROVAL_MODES.find((known) => known === word);
  if (mode === undefined) throw wrong(field, `must be one of ${APPROVAL_MODES.join(", ")}`);
  return mode;
}

function readAgents(field: Field): readonly string[] {
  const agents = namesOf(field, MAX_AGENTS);
  const unfit = agents.find((name) => !AGENT_NAME.test(name));
  if (unfit !== undefined) throw wrong(field, `${JSON.stringify(unfit)} is no name of an agent`);
  return agents;
}
