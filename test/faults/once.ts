import { rm } from "node:fs/promises";
import { pino } from "pino";
import { Access_Scope, type Client, createClient, reasonOf, type Request } from "../../src/client/client.ts";
import { readConfig } from "../../src/config.ts";
import { startEngine } from "../../src/engine.ts";
import type { Database, Statement } from "../../src/store/database.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { makeTempDir } from "../helpers/engine-process.ts";
import { control, type Figure, none } from "./figure.ts";

const CLIENTS = 8;

export interface OnceResult {
  readonly rounds: number;
  /** Answers that were told that they count. */
  readonly won: number;
  /** Rounds in which not exactly one was told so, or another answer is the one that is stored. */
  readonly wrongWinners: number;
  /** Answers that lost and were not told who won. */
  readonly badRefusals: number;
  /** Callers who waited and were told another answer, or none. */
  readonly badWaits: number;
}

function strip(statements: readonly Statement[]): Statement[] {
  return statements.map(({ claim: _claim, ...statement }) => statement);
}

/** One more answer than may count is the fault to be found: without claims who loses is not told. */
export function withoutClaims(db: Database): Database {
  return {
    ...db,
    transact: (statements, options) => db.transact(strip(statements), options),
    enqueue: (transaction) => db.enqueue({ ...transaction, statements: strip(transaction.statements) }),
  };
}

/** Eight clients, each with a token of its own, answer one request at the same time, again and again; one more waits for it. */
export async function runOnce(rounds: number, isGuarded = true): Promise<OnceResult> {
  const dataDir = makeTempDir("once");
  const config = readConfig({ PARLEY_DATA_DIR: dataDir, PARLEY_PORT: "0" });
  const openDatabase: typeof openSqlite = (path, clock) =>
    isGuarded ? openSqlite(path, clock) : withoutClaims(openSqlite(path, clock));
  const engine = await startEngine(config, { logger: pino({ level: "silent" }), openDatabase });
  const asker = createClient({ url: engine.url, token: engine.token });
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => newClient(engine.url, asker, `human-${i}`)),
  );
  const result = { rounds, won: 0, wrongWinners: 0, badRefusals: 0, badWaits: 0 };
  try {
    for (let round = 0; round < rounds; round++) {
      const { request } = await asker.requests.createRequest({ title: `round ${round}?` });
      const { id: requestId } = request!;
      const waiting = asker.requests.awaitRequest({ requestId });
      const outcomes = await Promise.all(clients.map((client, i) => answer(client, requestId, `human-${i}`)));
      const told = (await waiting).request;
      const winners = outcomes.filter(({ lostTo }) => lostTo === undefined);
      const stored = (await asker.requests.getRequest({ requestId })).request;
      result.won += winners.length;
      if (winners.length !== 1 || winners[0]?.name !== textOf(stored)) result.wrongWinners++;
      result.badRefusals += outcomes.filter(
        ({ lostTo }) => lostTo !== undefined && lostTo !== stored?.answeredBy,
      ).length;
      if (textOf(told) !== textOf(stored)) result.badWaits++;
    }
    return result;
  } finally {
    for (const client of [asker, ...clients]) client.close();
    await engine.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function newClient(url: string, admin: Client, name: string): Promise<Client> {
  const { secret } = await admin.engine.createToken({ name, scope: Access_Scope.OPERATE });
  return createClient({ url, token: secret });
}

/** Who it lost to; undefined: it won. */
async function answer(client: Client, requestId: string, name: string) {
  try {
    await client.requests.respondRequest({ requestId, answer: { content: { case: "text", value: name } } });
    return { name, lostTo: undefined };
  } catch (error) {
    const told = reasonOf(error);
    if (told?.reason !== "ALREADY_RESOLVED") throw error;
    return { name, lostTo: told.metadata["answered_by"] ?? "" };
  }
}

function textOf(request: Request | undefined): unknown {
  return request?.answer?.content.value;
}

export function onceFigures({ rounds, won, wrongWinners, badRefusals, badWaits }: OnceResult): readonly Figure[] {
  const lost = rounds * CLIENTS - won;
  return [
    none("rounds of 8 answers at once without exactly one winner", wrongWinners, rounds),
    none("answers that lost and were not told who won", badRefusals, lost),
    none("callers who waited and were told something else", badWaits, rounds),
  ];
}

/** The long form, with its control. */
export async function onceMeansOnce(rounds: number): Promise<readonly Figure[]> {
  const figures = onceFigures(await runOnce(rounds));
  const { wrongWinners } = await runOnce(Math.min(rounds, 20), false);
  return [...figures, control("without compare-and-set", wrongWinners, "rounds with several winners")];
}
