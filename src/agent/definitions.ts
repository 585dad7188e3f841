import type { Files } from "../workspace/files.ts";
import { AGENT_NAME, agentNotFound, agentUnusable, NO_SETTINGS, type AgentDefinition } from "./agent.ts";
import { placeOfOwner, placeOfWorkspace, SUFFIX, type Place } from "./definition-places.ts";
import type { Known } from "./parse-definition.ts";

/** The definitions that there are, read each time they are asked for: what is changed counts for the next session. */
export interface Agents {
  /** Those of the engine's owner, and of a canonical workspace where it is trusted (empty = none), by name. */
  list(workspace: string): Promise<readonly AgentDefinition[]>;
  /** The one of a name, which can be used. Throws DomainError `AGENT_NOT_FOUND`, `AGENT_UNUSABLE`. */
  get(name: string, workspace: string): Promise<AgentDefinition>;
}

export interface AgentsDeps {
  /** Absolute. */
  readonly dataDir: string;
  readonly files: Pick<Files, "read" | "walk">;
  readonly isTrusted: (workspace: string) => Promise<boolean>;
  readonly known: Known;
}

export function createAgents({ dataDir, files, isTrusted, known }: AgentsDeps): Agents {
  const own = placeOfOwner(dataDir);
  const readFrom = createReader(known);

  /** The owner's come first: a workspace adds to them, and replaces none. */
  async function placesOf(workspace: string): Promise<readonly Place[]> {
    const isUsed = workspace !== "" && (await isTrusted(workspace));
    return isUsed ? [own, placeOfWorkspace(files, workspace)] : [own];
  }

  return {
    async list(workspace) {
      const found: AgentDefinition[] = [];
      for (const place of await placesOf(workspace)) {
        const names = await place.list();
        for (const definition of await Promise.all(names.map((name) => readFrom(place, name)))) {
          if (definition === undefined) continue;
          const { name } = definition;
          const isHidden = found.some((other) => other.name === name);
          found.push(isHidden ? { ...definition, error: HIDDEN } : definition);
        }
      }
      return found.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    },

    async get(name, workspace) {
      if (!AGENT_NAME.test(name)) throw agentNotFound(JSON.stringify(name), NAME_RULE);
      for (const place of await placesOf(workspace)) {
        const definition = await readFrom(place, name);
        if (definition === undefined) continue;
        if (definition.error === "") return definition;
        throw agentUnusable(name, `${place.shown}/${name}${SUFFIX}, ${definition.error}`);
      }
      throw agentNotFound(
        name,
        "ListAgentDefinitions tells which there are; those of a workspace count once it is trusted",
      );
    },
  };
}

const HIDDEN = "the engine's owner has a definition of this name, and that one is used; rename this file";
const NAME_RULE = "a name has 1 to 64 letters, digits, and - _ . between them";

/** So many files' settings are kept, so that what has not changed is not parsed again for each model call. */
const MAX_PARSED = 1000;

type Parsed = Omit<AgentDefinition, "name" | "source" | "path">;

/** Reads a definition. Undefined = there is none; what is wrong with it is in its `error`. */
function createReader(known: Known): (place: Place, name: string) => Promise<AgentDefinition | undefined> {
  const kept = new Map<string, { readonly text: string; readonly parsed: Parsed }>();

  async function parse(path: string, text: string, name: string): Promise<Parsed> {
    const before = kept.get(path);
    if (before?.text === text) return before.parsed;
    // Its library is loaded with the first definition that is read.
    const { parseDefinition } = await import("./parse-definition.ts");
    const parsed = parseDefinition(text, name, known);
    if (kept.size >= MAX_PARSED) kept.clear();
    kept.set(path, { text, parsed });
    return parsed;
  }

  return async (place, name) => {
    const about = { name, source: place.source, path: place.pathOf(name) };
    if (!AGENT_NAME.test(name)) return { ...NO_SETTINGS, ...about, error: `the file's name: ${NAME_RULE}` };
    const read = await place.read(name);
    if (read === undefined) return undefined;
    if (read.text === undefined) return { ...NO_SETTINGS, ...about, error: read.problem };
    return { ...(await parse(about.path, read.text, name)), ...about };
  };
}
