import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { pino, type Logger } from "pino";
import packageFile from "../package.json" with { type: "json" };
import { type AuditLog, openAuditLog } from "./audit/audit-log.ts";
import { createAuthFailures } from "./audit/auth-failures.ts";
import { formatEnd } from "./audit/chain.ts";
import { createScrub } from "./audit/scrub.ts";
import { createAgents, type Agents } from "./agent/definitions.ts";
import { createBackups } from "./backup/backups.ts";
import { checkAfterCrash, wasCutOff } from "./backup/check-after-crash.ts";
import { undoCutOffSwap } from "./backup/swap-store.ts";
import { forgetOldReverts } from "./change/revert-store.ts";
import { systemClock, type Clock } from "./clock.ts";
import { createBlobStore } from "./blob/blob-store.ts";
import { createClosers, type Closers } from "./closers.ts";
import type { Config } from "./config.ts";
import {
  lockDataDir,
  makePrivate,
  nameOfDataDir,
  openDataDir,
  readEngineFile,
  readOrMakeToken,
  removeEngineFile,
  writeEngineFile,
} from "./data-dir.ts";
import { DomainError } from "./errors.ts";
import { createEventLog } from "./event/event-log.ts";
import { readLogEpoch } from "./event/log-epoch.ts";
import { readEngineHooks } from "./hook/engine-hooks.ts";
import { createHooks, type Hooks } from "./hook/hooks.ts";
import { readWorkspaceHooks } from "./hook/workspace-hooks.ts";
import { newId } from "./id.ts";
import { createInTurn } from "./in-turn.ts";
import { createLogOutput } from "./log-output.ts";
import { createIdempotency } from "./idempotency/idempotency.ts";
import { createSearchIndex } from "./message/search-index.ts";
import { createModelCache, createModelsVia } from "./model/model-cache.ts";
import { assessCommand } from "./permission/assess-command.ts";
import { createProtectedPaths } from "./permission/protected-paths.ts";
import { forgetEndedRules } from "./permission/rule-store.ts";
import { createProfiles } from "./profile/profile.ts";
import { encodePayload } from "./rpc/event-codec.ts";
import { createExpiry, type ExpiryDeps } from "./request/expire-requests.ts";
import { createRequestBells } from "./request/request-bells.ts";
import { createRequestFeed } from "./request/request-changes.ts";
import { createRootTeller } from "./request/tell-roots.ts";
import { forgetOldRequests } from "./request/request-store.ts";
import { createHealthService } from "./rpc/health.ts";
import { createInterceptors } from "./rpc/interceptors/interceptors.ts";
import { createTokenFinder } from "./rpc/interceptors/principal.ts";
import { registerServices, SERVICES } from "./rpc/services.ts";
import { createApp } from "./server/app.ts";
import { prepareWaysIn, type WaysIn } from "./server/ways-in.ts";
import { forgetOldImports } from "./session/import-store.ts";
import { createRemovedSessions } from "./session/removed-sessions.ts";
import { sweepTombstones } from "./session/session-changes.ts";
import { createSessionFeed } from "./session/session-feed.ts";
import { createSessionDrafts } from "./session/session-draft.ts";
import type { Database } from "./store/database.ts";
import { SCHEMA_VERSION } from "./store/migrate.ts";
import { openSqlite } from "./store/sqlite.ts";
import { createTitles, type Titles } from "./title/titles.ts";
import { ADMIN_NAME, hashSecret } from "./token/token.ts";
import { openTokens, type Tokens } from "./token/tokens.ts";
import { type Commands, createCommands } from "./tool/commands.ts";
import { createFileTools } from "./tool/file-tools.ts";
import { createFetchUrlTool } from "./tool/fetch-url.ts";
import { createNowTool } from "./tool/now.ts";
import { endLeftOvers } from "./tool/processes.ts";
import { runAgentTool } from "./tool/run-agent.ts";
import { askHumanTool } from "./tool/ask-human.ts";
import { todoTool } from "./tool/todo.ts";
import { publicWeb } from "./tool/safe-fetch.ts";
import { createSandbox, type Sandbox } from "./tool/sandbox.ts";
import type { Tool } from "./tool/tool.ts";
import { createProxyRules } from "./tool/web-proxies.ts";
import { isTrusted } from "./trust/trust-store.ts";
import { cancelTurn } from "./turn/cancel-turn.ts";
import { recoverTurns } from "./turn/recover.ts";
import type { TurnDeps } from "./turn/turn-deps.ts";
import { createTurnRunner } from "./turn/turn-runner.ts";
import { createTurnWaker } from "./turn/turn-waker.ts";
import { createWorkspaceInstructions } from "./workspace/agents-file.ts";
import { createFiles } from "./workspace/files.ts";
import { createPathGuard } from "./workspace/path-guard.ts";
import { PROTECTED_NAMES } from "./workspace/protected-names.ts";
import { openWorkspaces } from "./workspace/workspaces.ts";

/** How long a stop waits for open calls, and DeleteSession for its turn. Both are parts of the 10 s that a stop may take. */
const GRACE_MS = 2000;
const DELETE_WAIT_MS = 10_000;

const DAY_MS = 24 * 60 * 60_000;

/** What is only kept for a time is removed this often: keys of retried calls, tokens that have expired. */
const SWEEP_MS = 60 * 60_000;

/** What `startEngine` is told, and what makes it from the environment and flags. */
export { readConfig, type Config } from "./config.ts";

/** A running engine. */
export interface Engine {
  /** Where it listens, in the order of `Config.listen`. */
  readonly urls: readonly string[];
  /** The first of them. */
  readonly url: string;
  /** The admin token. */
  readonly token: string;
  /** Reads the TLS files again, for connections from now on. Throws DomainError `TLS_INVALID`; the old ones stay then. */
  reloadTls(): void;
  /** Ends what runs, in order, and gives the data directory back. */
  close(): Promise<void>;
}

/** What a test or an embedder may replace. */
export interface EngineParts {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly random?: () => number;
  /** Another store than the file `parley.db` of the data directory. */
  readonly openDatabase?: (path: string, clock: Clock) => Database;
  /** Tools besides the engine's own. */
  readonly tools?: readonly Tool[];
  /** Another way to name sessions than to ask their models. */
  readonly titles?: Titles;
}

/** What every part is built from. */
interface Base {
  readonly config: Config;
  readonly parts: EngineParts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly closers: Closers;
  readonly onBug: (what: string, error: unknown) => void;
}

/**
 * Builds the long-lived things by hand, in order, and starts to serve. Throws DomainError `LISTEN_INSECURE`, `TLS_INVALID`,
 * `DATA_DIR_UNUSABLE`, `DATA_DIR_LOCKED`, `SANDBOX_MISSING`, `STORE_DAMAGED`, `STORE_NEWER`, `STORE_FOREIGN`, and what the listener throws;
 * nothing is left open then.
 */
export async function startEngine(config: Config, parts: EngineParts = {}): Promise<Engine> {
  const logger = parts.logger ?? pino({ level: config.logLevel }, createLogOutput(2));
  const onBug = (what: string, error: unknown): void => logger.error({ err: error }, what);
  const closers = createClosers();
  const base: Base = { config, parts, clock: parts.clock ?? systemClock, logger, closers, onBug };
  const waysIn = prepareWaysIn(config, base.clock);
  try {
    const store = await openStore(base);
    if (store.wasKilled) await endWhatWasLeft(base, store);
    const turns = await createTurns(base, store);
    const recovered = await recoverTurns(turns, turns.runner);
    if (recovered > 0) logger.info({ turns: recovered }, "recovered turns that a stop cut off");
    const { urls, reloadTls } = await serve(base, store, turns, waysIn);
    logger.info({ urls, version: packageFile.version }, "serving");
    return { url: urls[0] ?? "", urls, token: store.token, reloadTls, close: closers.closeAll };
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

/** Everything that outlives the engine: the data directory, the store in it, the logs in that. */
async function openStore(base: Base) {
  const { config, parts, clock, logger, closers, onBug } = base;
  openDataDir(config.dataDir);
  closers.add(lockDataDir(config.dataDir));
  const sandbox = await openSandbox(base);
  const lastEngine = readEngineFile(config.dataDir);
  // Whoever holds the lock is the engine of this file from now on; what a dead one wrote is nobody's.
  removeEngineFile(config.dataDir);
  if (undoCutOffSwap(config.dataDir)) logger.warn("a restore was cut off; the store from before it is in place again");
  const file = join(config.dataDir, "parley.db");
  const mustCheck = wasCutOff(file);
  makePrivate(file);
  const db = (parts.openDatabase ?? openSqlite)(file, clock);
  closers.add(() => db.close());
  // Only now: a directory that is refused is left as it was.
  const token = readOrMakeToken(config.dataDir);
  const audit = await openAudit(base, db, token, mustCheck);
  closers.add(() => endAudit(base, audit));
  const log = createEventLog(db, encodePayload, clock);
  closers.add(() => log.close());
  const removed = createRemovedSessions(db, onBug, clock);
  closers.add(() => removed.close());
  const searchIndex = createSearchIndex(db, clock, onBug);
  closers.add(() => searchIndex.close());
  const idempotency = createIdempotency(db, clock);
  const tokens = await openTokens(db, clock, newId);
  closers.add(() => tokens.close());
  if (mustCheck) closers.add(startCheckAfterCrash(file, clock, logger, onBug));
  const blobs = createBlobStore(join(config.dataDir, "blobs"), db, clock);
  await blobs.dropLeftOver();
  const feed = createSessionFeed(db);
  closers.add(() => feed.close());
  const waker = createTurnWaker();
  const requests = await openRequests({ db, log, clock, newId, wake: waker.wake, onBug }, closers);
  const logEpoch = await readLogEpoch(db);
  const rest = { tokens, sandbox, feed, blobs, waker, ...requests, ...(await openPlaces(config)) };
  const wasKilled = mustCheck || lastEngine !== undefined;
  return { token, wasKilled, db, audit, log, logEpoch, removed, searchIndex, idempotency, ...rest };
}

/** Where sessions work, and the only way to the files there. */
async function openPlaces({ dataDir, workspaceRoots }: Config) {
  const workspaces = await openWorkspaces(dataDir, workspaceRoots);
  const files = createFiles(await createPathGuard(dataDir, workspaces.allows));
  return { workspaces, files };
}

/** The audit log, with the first entry of this run. */
async function openAudit({ config, clock }: Base, db: Database, token: string, isAfterCrash: boolean) {
  const secrets = [token, config.token, ...config.profiles.map(({ apiKey }) => apiKey)];
  const scrub = createScrub(secrets.filter((secret) => secret !== undefined));
  const audit = await openAuditLog(db, { clock, scrub, keepMs: config.auditDays * DAY_MS });
  const detail = { version: packageFile.version, after_crash: isAfterCrash };
  await audit.add({ action: "ENGINE_STARTED", actor: "", detail });
  return audit;
}

/** The last entry of a run. Its hash goes to the log as well: whoever cuts the end off cannot reach it there. */
async function endAudit({ logger, onBug }: Base, audit: AuditLog): Promise<void> {
  try {
    await audit.add({ action: "ENGINE_STOPPED", actor: "" }, { essential: true });
    logger.info({ audit_head: formatEnd(await audit.head()) }, "stopped");
  } catch (error) {
    // The store refuses; what is being closed must be closed all the same.
    onBug("the end of the audit log", error);
  }
}

/** What commands are put into. Throws DomainError `SANDBOX_MISSING` where one is required and there can be none. */
async function openSandbox({ config, logger, closers }: Base): Promise<Sandbox> {
  const sandbox = createSandbox({
    mode: config.sandbox,
    hosts: config.sandboxHosts,
    path: config.programPath,
    dataDir: await realpath(config.dataDir),
    secretFiles: config.tls === undefined ? [] : [config.tls.keyFile],
    protectedNames: PROTECTED_NAMES,
    onMissing: (reason) => logger.warn({ reason }, "commands run without a sandbox"),
  });
  closers.add(() => sandbox.close());
  if (config.sandbox !== "required") return sandbox;
  const { isActive, reason } = await sandbox.state();
  if (isActive) return sandbox;
  throw new DomainError("precondition", "SANDBOX_MISSING", `--sandbox required, and there can be none here: ${reason}`);
}

/** What waits for a human. What expired while no engine ran has ended when this resolves. */
async function openRequests(deps: Omit<ExpiryDeps, "bells">, closers: Closers) {
  const bells = createRequestBells(deps.clock);
  const requestFeed = createRequestFeed(deps.db);
  closers.add(() => requestFeed.close());
  const expiry = createExpiry({ ...deps, bells });
  closers.add(() => expiry.close());
  await expiry.start();
  const rootTeller = createRootTeller(deps);
  rootTeller.start();
  closers.add(() => rootTeller.close());
  return { bells, requestFeed, expiry };
}

function startCheckAfterCrash(file: string, clock: Clock, logger: Logger, onBug: Base["onBug"]): () => Promise<void> {
  return checkAfterCrash(file, {
    clock,
    onBug,
    onWhole: () => logger.info("the store was looked through after the crash; it is whole"),
    onDamage: (problems) =>
      logger.error(
        { problems },
        `the database ${file} is damaged; see \`parley doctor\`, and bring a backup back with \`parley restore DIR\``,
      ),
  });
}

type Store = Awaited<ReturnType<typeof openStore>>;

/** What runs turns. */
async function createTurns(engine: Base, store: Store) {
  const { config, parts, clock, closers, onBug } = engine;
  const { db, log, blobs, files, bells, waker } = store;
  const commands = openCommands(engine, store);
  const profiles = createProfiles(config.profiles, config.defaultProfile);
  const models = createModelCache(clock, createModelsVia(config.proxies));
  closers.add(() => models.close());
  const tools = [
    createNowTool(clock),
    todoTool,
    ...createFileTools(files, config.programPath),
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

/** Who is asked before calls and told after them. Throws DomainError `INVALID_CONFIG`. */
function openHooks({ config, clock, logger, closers, onBug }: Base, { db, files, audit }: Store): Hooks {
  const { hooks: settings, toolEnvironment: env } = config;
  const hooks = createHooks({
    engineHooks: readEngineHooks(settings, env),
    workspaceHooks: (workspace) =>
      readWorkspaceHooks({ files, env, isTrusted: (path) => isTrusted(db, path) }, workspace),
    clock,
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
  return createFetchUrlTool({ web: { ...publicWeb, proxyFor }, version: packageFile.version, refusal });
}

/** What runs the commands of agents. */
function openCommands({ config, logger, onBug }: Base, { workspaces, sandbox }: Store): Commands {
  return createCommands({
    owner: nameOfDataDir(config.dataDir),
    env: config.toolEnvironment,
    assess: assessCommand,
    allowsWorkspace: workspaces.allows,
    wrap: sandbox.wrap,
    onLeft: (callId, count) => logger.error({ callId, count }, "processes of a call could not be ended"),
    onBug,
  });
}

/** What the commands of an engine that was killed have left running: what they did is told to be over. */
async function endWhatWasLeft({ config, logger }: Base, { sandbox }: Store): Promise<void> {
  const ended = await endLeftOvers(nameOfDataDir(config.dataDir));
  if (ended.length > 0) logger.warn({ processes: ended }, "ended processes that the last engine's commands had left");
  await sandbox.removeLeft();
}

/** Listens, says where, and from then on takes calls. */
async function serve(
  { config, clock, logger, closers, onBug }: Base,
  { token, ...store }: Store,
  turns: Awaited<ReturnType<typeof createTurns>>,
  waysIn: WaysIn,
): Promise<Pick<Engine, "urls" | "reloadTls">> {
  let isStopping = false;
  const { version } = packageFile;
  const health = createHealthService(SERVICES.map(({ typeName }) => typeName));
  const { db, logEpoch } = store;
  const backups = createBackups({
    dataDir: config.dataDir,
    version,
    schemaVersion: SCHEMA_VERSION,
    logEpoch,
    clock,
    audit: store.audit,
    auditHead: async () => formatEnd(await store.audit.head()),
    storeBytes: () => db.size(),
    copyStore: (file, progress) => db.copyTo(file, progress),
  });
  const checkRunning = (): void => {
    if (isStopping) throw engineStopping();
  };
  const drafts = createSessionDrafts({ ...store, clock, encode: encodePayload, checkRunning, onBug });
  await drafts.dropLeftOver();
  closers.add(() => drafts.close());
  const deps = {
    ...store,
    ...turns,
    backups,
    drafts,
    importInTurn: createInTurn(),
    defaultMode: config.approvalMode,
    health,
    version,
    startTimeMs: clock.now(),
    checkRunning,
    stopTurn: (sessionId: string, turnId: string) => cancelTurn(turns, { sessionId, turnId, waitMs: DELETE_WAIT_MS }),
  };
  const findPrincipal = findPrincipalOf(token, config, store.tokens);
  const authFailures = createAuthFailures(store.audit, clock, onBug);
  closers.add(() => authFailures.close());
  const onAuthFailure = authFailures.note;
  const interceptors = createInterceptors({ findPrincipal, logger, clock, onAuthFailure });
  const app = createApp({
    routes: (router) => registerServices(router, deps),
    rpc: interceptors,
    blobs: { blobs: store.blobs, findPrincipal, onAuthFailure },
    guard: { allowHosts: config.allowHosts, allowOrigins: config.allowOrigins },
    isReady: () => !isStopping,
    onError: (error, where) => onBug(where, error),
    onPeerGone: (error, where) => logger.debug({ err: error, method: where }, "the peer is gone"),
    clock,
  });
  closers.add(() => app.close({ graceMs: GRACE_MS }));
  const urls = await waysIn.open(app);
  const announce = (): void => {
    const certificate = waysIn.certificate();
    const about = { url: urls[0] ?? "", urls, pid: process.pid, version };
    writeEngineFile(config.dataDir, { ...about, ...(certificate !== undefined && { certificate }) });
  };
  announce();
  closers.add(() => removeEngineFile(config.dataDir));
  closers.add(() => backups.close());
  const sweeps = [
    store.idempotency.sweep,
    store.tokens.sweep,
    () => sweepTombstones(db, clock.now()),
    store.blobs.sweep,
    () => db.transact([forgetOldImports(clock.now())]),
    () => db.transact([forgetOldReverts(clock.now())]),
    () => db.transact([forgetOldRequests(clock.now())]),
    () => db.transact([forgetEndedRules(clock.now())]),
    store.audit.trim,
  ];
  closers.add(startHousekeeping(clock, sweeps, onBug));
  closers.add(() => {
    isStopping = true;
    health.stop();
    store.log.stopReaders(engineStopping());
    store.feed.stopReaders(engineStopping());
    store.bells.stop(engineStopping());
  });
  health.setServing(true);
  store.removed.sweep();
  store.searchIndex.start();
  interceptors.warm(SERVICES).catch((error: unknown) => onBug("warming up", error));
  return {
    urls,
    reloadTls() {
      if (isStopping) return;
      waysIn.reload(app);
      announce();
    },
  };
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

function findPrincipalOf(token: string, config: Config, issued: Tokens) {
  const admin = { name: ADMIN_NAME, scope: "admin" } as const;
  const own = config.token === undefined ? [token] : [token, config.token];
  const known = own.map((text) => ({ principal: admin, sha256: hashSecret(text) }));
  return createTokenFinder(() => known, issued.find);
}

function engineStopping(): DomainError {
  return new DomainError("unavailable", "ENGINE_STOPPING", "the engine is stopping; connect again");
}

/** Repeats small jobs until it is stopped. */
function startHousekeeping(
  clock: Clock,
  jobs: readonly (() => Promise<void>)[],
  onBug: (what: string, error: unknown) => void,
): () => void {
  let cancel = clock.after(SWEEP_MS, run);
  function run(): void {
    for (const job of jobs) job().catch((error: unknown) => onBug("housekeeping", error));
    cancel = clock.after(SWEEP_MS, run);
  }
  return () => cancel();
}
