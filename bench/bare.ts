// A program: the engine's services over connect-node and node:http2 alone, with nothing behind them. Prints its URL.
// `bare.ts DATABASE SESSION_KEY` has the events of a stored session in memory and sends them to every watcher.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import Sqlite from "better-sqlite3";
import type { Event } from "../gen/ts/parley/v1/event_pb.ts";
import { MessageService } from "../gen/ts/parley/v1/message_service_pb.ts";
import { SessionSchema } from "../gen/ts/parley/v1/session_pb.ts";
import { SessionService } from "../gen/ts/parley/v1/session_service_pb.ts";
import { selectEvents, type EventRow } from "../src/event/event-store.ts";
import { entryToProto } from "../src/rpc/event-codec.ts";

const [database, sessionKey] = process.argv.slice(2);
const events = database === undefined ? [] : readEvents(database, Number(sessionKey));
const session = create(SessionSchema, { id: "ses_00000000000000000000000000", title: "bench" });

function readEvents(path: string, key: number): Event[] {
  const db = new Sqlite(path, { readonly: true });
  const { sql, params } = selectEvents(key, 0, Number.MAX_SAFE_INTEGER, -1);
  const rows = db.prepare(sql).all(...params) as EventRow[];
  db.close();
  return rows.map((row) =>
    entryToProto({
      seq: row.seq,
      createTimeMs: row.create_time_ms,
      turnId: row.turn_id,
      actor: row.actor,
      payload: row.payload,
    }),
  );
}

const handler = connectNodeAdapter({
  routes: (router) => {
    router.service(SessionService, { createSession: ({ title }) => ({ session: { ...session, title } }) });
    router.service(MessageService, {
      async *watchSession(_request, { signal }) {
        yield { payload: { case: "checkpoint", value: { lastSeq: BigInt(events.length) } } };
        for (const value of events) yield { payload: { case: "event", value } };
        yield { payload: { case: "checkpoint", value: { lastSeq: BigInt(events.length), caughtUp: true } } };
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    });
  },
});

const server = createServer({ settings: { maxConcurrentStreams: 1024 } }, handler);
server.listen(0, "127.0.0.1", () => {
  console.log(`READY http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("disconnect", () => process.exit());
