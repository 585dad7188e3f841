import packageFile from "../../package.json" with { type: "json" };
import { createAuthFailures } from "../audit/auth-failures.ts";
import { formatEnd } from "../audit/chain.ts";
import { createBackups } from "../backup/backups.ts";
import { forgetOldReverts } from "../change/revert-store.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { removeEngineFile, writeEngineFile } from "../data-dir.ts";
import { DomainError } from "../errors.ts";
import { createInTurn } from "../in-turn.ts";
import { forgetEndedRules } from "../permission/rule-store.ts";
import { forgetOldRequests } from "../request/request-store.ts";
import { encodePayload } from "../rpc/event-codec.ts";
import { createHealthService } from "../rpc/health.ts";
import { createInterceptors } from "../rpc/interceptors/interceptors.ts";
import { createTokenFinder } from "../rpc/interceptors/principal.ts";
import { registerServices, SERVICES } from "../rpc/services.ts";
import { createApp } from "../server/app.ts";
import type { WaysIn } from "../server/ways-in.ts";
import { forgetOldImports } from "../session/transfer/import-store.ts";
import { sweepTombstones } from "../session/session-changes.ts";
import { createSessionDrafts } from "../session/session-draft.ts";
import { SCHEMA_VERSION } from "../store/migrate.ts";
import { ADMIN_NAME, hashSecret } from "../token/token.ts";
import type { Tokens } from "../token/tokens.ts";
import { cancelTurn } from "../turn/cancel-turn.ts";
import type { Base, Engine } from "./base.ts";
import type { Store } from "./open-store.ts";
import type { Turns } from "./open-turns.ts";

/** How long a stop waits for open calls, and DeleteSession for its turn. Both are parts of the 10 s that a stop may take. */
const GRACE_MS = 2000;

const DELETE_WAIT_MS = 10_000;

/** What is only kept for a time is removed this often: keys of retried calls, tokens that have expired. */
const SWEEP_MS = 60 * 60_000;

/** Listens, says where, and from then on takes calls. */
export async function serve(
  { config, clock, logger, closers, onBug }: Base,
  { token, ...store }: Store,
  turns: Turns,
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
  await store.beginRun();
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
