import { realpath } from "node:fs/promises";
import packageFile from "../../package.json" with { type: "json" };
import { createAgents, type Agents } from "../agent/definitions.ts";
import type { Config } from "../config.ts";
import { nameOfDataDir } from "../data-dir.ts";
import { createScrub } from "../audit/scrub.ts";
import { readEngineHooks } from "../hook/engine-hooks.ts";
import { createHooks, type Hooks } from "../hook/hooks.ts";
import { readWorkspaceHooks } from "../hook/workspace-hooks.ts";
import { newId } from "../id.ts";
import { createModelCache, createModelsVia } from "../model/model-cache.ts";
import { assessCommand } from "../permission/assess-command.ts";
import { createProtectedPaths } from "../permission/protected-paths.ts";
import { createProfiles } from "../profile/profile.ts";
import { createTitles } from "../title/titles.ts";
import { askHumanTool } from "../tool/ask-human.ts";
import { type Commands, createCommands } from "../tool/process/commands.ts";
import { createFetchUrlTool } from "../tool/web/fetch-url.ts";
import { createFileTools } from "../tool/file/file-tools.ts";
import { createNowTool } from "../tool/now.ts";
import { runAgentTool } from "../tool/run-agent.ts";
import { todoTool } from "../tool/todo.ts";
import type { Tool } from "../tool/tool.ts";
import { createProxyRules } from "../tool/web/web-proxies.ts";
import { isTrusted } from "../trust/trust-store.ts";
import type { TurnDeps } from "../turn/turn-deps.ts";
import { createTurnRunner } from "../turn/turn-runner.ts";
import { createWorkspaceInstructions } from "../workspace/agents-file.ts";
import type { Base } from "./base.ts";
import type { Store } from "./open-store.ts";

/** What runs turns. */
export async function openTurns(engine: Base, store: Store) {
  const { config, parts, clock, closers, onBug } = engine;
  const { db, log, blobs, files, bells, waker } = store;
  const commands = openCommands(engine, store);
  const profiles = createProfiles(config.profiles, config.defaultProfile);
  const models = createModelCache(clock, createModelsVia(config.proxies));
  closers.add(() => models.close());
  const tools = [
    createNowTool(clock),
    todoTool,
    ...createFileTools(files, config.programPath, store.sandbox.wrapReader),
    askHumanTool,
    runAgentTool,
    ...commands.tools,
    createWebTool(config),
    ...(parts.tools ?? []),
  ];
  const workspaceInstructions = createWorkspaceInstructions(files);
  const agents = await openAgents(config, store, { tools, profiles });
  const sources = { blobs, tools, agents, workspaceInstructions };
  const hooks = openHooks(engine, store);
  const gate = { protectedPaths: createProtectedPaths(await realpath(config.dataDir)), bells, hooks };
  const random = parts.random ?? Math.random;
  const base = { db, log, ...sources, ...gate, clock, newId, profiles, models, random, onBug };
  const titles = parts.titles ?? createTitles(base, config.titles);
  closers.add(() => titles.close());
  const deps = { ...base, titles };
  const runner = createTurnRunner(deps);
  waker.listen(runner.wake);
  // At the same time: calls are stopped first, and so know why their processes end.
  closers.add(async () => void (await Promise.all([runner.stopAll(), commands.processes.endAll()])));
  const { processes, endProcesses } = commands;
  return { ...deps, runner, wake: waker.wake, processes, endProcesses };
}

export type Turns = Awaited<ReturnType<typeof openTurns>>;

/** Who is asked before calls and told after them. Throws DomainError `INVALID_CONFIG`. */
function openHooks({ config, clock, logger, closers, onBug }: Base, { db, files, audit }: Store): Hooks {
  const { hooks: settings, toolEnvironment: env } = config;
  const hooks = createHooks({
    engineHooks: readEngineHooks(settings, env),
    workspaceHooks: (workspace) =>
      readWorkspaceHooks({ files, env, isTrusted: (path) => isTrusted(db, path) }, workspace),
    clock,
    scrub: createScrub(Object.values(settings.env)),
    owner: nameOfDataDir(config.dataDir),
    onFailure({ hook, call, problem }) {
      const { sessionId, callId, tool } = call;
      logger.warn({ hook: hook.name, time: hook.time, session: sessionId, call: callId, problem }, "a hook failed");
      const detail = { time: hook.time, tool, call_id: callId, problem };
      audit
        .add({ action: "HOOK_FAILED", actor: "", sessionId, target: hook.name, detail })
        .catch((error: unknown) => onBug("an entry of the audit log", error));
    },
    onBug,
  });
  closers.add(() => hooks.close());
  return hooks;
}

/** What reads pages of the public web. */
function createWebTool({ proxies, fetchThroughProxy }: Config): Tool {
  const { proxyFor, refusal } = createProxyRules(proxies, fetchThroughProxy);
  return createFetchUrlTool({ web: { proxyFor }, version: packageFile.version, refusal });
}

/** What runs the commands of agents. */
function openCommands({ config, logger, onBug }: Base, { workspaces, sandbox }: Store): Commands {
  return createCommands({
    owner: nameOfDataDir(config.dataDir),
    env: config.toolEnvironment,
    assess: assessCommand,
    allowsWorkspace: workspaces.allows,
    wrap: sandbox.wrap,
    forget: sandbox.forget,
    onLeft: (callId, count) => logger.error({ callId, count }, "processes of a call could not be ended"),
    onBug,
  });
}

/** The definitions that sessions are made by. */
async function openAgents(
  { dataDir }: Config,
  { db, files }: Pick<Store, "db" | "files">,
  { tools, profiles }: Pick<TurnDeps, "tools" | "profiles">,
): Promise<Agents> {
  return createAgents({
    dataDir: await realpath(dataDir),
    files,
    isTrusted: (workspace) => isTrusted(db, workspace),
    known: {
      hasTool: (name) => tools.some((tool) => tool.name === name),
      hasProfile: (name) => profiles.find(name) !== undefined,
    },
  });
}
