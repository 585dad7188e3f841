import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { AuditEntrySchema, type EngineService } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { AuditEntry } from "../audit/audit-entry.ts";
import { listEntriesBefore } from "../audit/audit-store.ts";
import type { Database } from "../store/database.ts";
import { readPage } from "./page.ts";

/** ListAuditEntries. */
export function createAuditMethods({
  db,
}: {
  readonly db: Database;
}): Pick<ServiceImpl<typeof EngineService>, "listAuditEntries"> {
  return {
    listAuditEntries: async (request) => {
      const { sessionId, action, actor, since } = request;
      const sinceMs = since === undefined ? undefined : timestampMs(since);
      const filter = { sessionId: given(sessionId), action: given(action), actor: given(actor), sinceMs };
      const list = {
        scope: { method: "ListAuditEntries", args: [sessionId, action, actor, String(sinceMs)] },
        defaultSize: 100,
        maxSize: 1000,
        read: (before: number | undefined, limit: number) => listEntriesBefore(db, filter, before, limit),
        placeOf: ({ seq }: AuditEntry) => seq,
      };
      const { items, nextPageToken } = await readPage(list, request);
      return { entries: items.map(entryToProto), nextPageToken };
    },
  };
}

function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}

function entryToProto({ seq, timeMs, prevHash, hash, ...entry }: AuditEntry) {
  return create(AuditEntrySchema, {
    ...entry,
    seq: BigInt(seq),
    createTime: timestampFromMs(timeMs),
    prevHash: toHex(prevHash),
    hash: hash === undefined ? "" : toHex(hash),
  });
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
