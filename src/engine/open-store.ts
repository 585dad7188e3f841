import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import packageFile from "../../package.json" with { type: "json" };
import { type AuditLog, openAuditLog } from "../audit/audit-log.ts";
import { formatEnd } from "../audit/chain.ts";
import { createScrub } from "../audit/scrub.ts";
import { checkAfterCrash, wasCutOff } from "../backup/check-after-crash.ts";
import { undoCutOffSwap } from "../backup/swap-store.ts";
import { createBlobStore } from "../blob/blob-store.ts";
import type { Clock } from "../clock.ts";
import type { Closers } from "../closers.ts";
import type { Config } from "../config.ts";
import {
  lockDataDir,
  makePrivate,
  openDataDir,
  readEngineFile,
  readOrMakeToken,
  removeEngineFile,
} from "../data-dir.ts";
import { DomainError } from "../errors.ts";
import { createEventLog } from "../event/event-log.ts";
import { readLogEpoch } from "../event/log-epoch.ts";
import { newId } from "../id.ts";
import { createIdempotency } from "../idempotency/idempotency.ts";
import { createSearchIndex } from "../message/search-index.ts";
import { createExpiry, type ExpiryDeps } from "../request/expire-requests.ts";
import { createRequestBells } from "../request/request-bells.ts";
import { createRequestFeed } from "../request/request-changes.ts";
import { createRootTeller } from "../request/tell-roots.ts";
import { encodePayload } from "../rpc/event-codec.ts";
import { createRemovedSessions } from "../session/removed-sessions.ts";
import { createSessionFeed } from "../session/list/session-feed.ts";
import type { Database } from "../store/database.ts";
import { openSqlite } from "../store/sqlite.ts";
import { openTokens } from "../token/tokens.ts";
import { createSandbox, type Sandbox } from "../tool/sandbox/sandbox.ts";
import { createTurnWaker } from "../turn/turn-waker.ts";
import { createFiles } from "../workspace/files.ts";
import { createPathGuard } from "../workspace/path-guard.ts";
import { PROTECTED_NAMES } from "../workspace/protected-names.ts";
import { openWorkspaces } from "../workspace/workspaces.ts";
import type { Base } from "./base.ts";

const DAY_MS = 24 * 60 * 60_000;

/** Everything that outlives the engine: the data directory, the store in it, the logs in that. */
export async function openStore(base: Base) {
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
  const audit = await openAudit(base, db, token);
  const run = createRun(base, audit, mustCheck);
  closers.add(run.end);
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
  return {
    token,
    wasKilled,
    db,
    audit,
    beginRun: run.begin,
    log,
    logEpoch,
    removed,
    searchIndex,
    idempotency,
    ...rest,
  };
}

/** Where sessions work, and the only way to the files there. */
async function openPlaces({ dataDir, workspaceRoots }: Config) {
  const workspaces = await openWorkspaces(dataDir, workspaceRoots);
  const files = createFiles(await createPathGuard(dataDir, workspaces.allows));
  return { workspaces, files };
}

function openAudit({ config, clock }: Base, db: Database, token: string): Promise<AuditLog> {
  const keys = config.profiles.map(({ apiKey }) => apiKey);
  const secrets = [token, config.token, ...keys, ...Object.values(config.hooks.env)];
  const scrub = createScrub(secrets.filter((secret) => secret !== undefined));
  return openAuditLog(db, { clock, scrub, keepMs: config.auditDays * DAY_MS });
}

/** The first and the last entry of a run. A start that does not come to serve anybody leaves none: it changes nothing. */
function createRun(base: Base, audit: AuditLog, isAfterCrash: boolean) {
  let isBegun = false;
  return {
    async begin(): Promise<void> {
      const detail = { version: packageFile.version, after_crash: isAfterCrash };
      await audit.add({ action: "ENGINE_STARTED", actor: "", detail });
      isBegun = true;
    },
    async end(): Promise<void> {
      if (isBegun) await endAudit(base, audit);
    },
  };
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

export type Store = Awaited<ReturnType<typeof openStore>>;
