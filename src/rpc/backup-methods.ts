import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { EngineService } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { Backups } from "../backup/backups.ts";
import { actorOf } from "./actor.ts";

export interface BackupMethodsDeps {
  readonly backups: Backups;
}

/** CreateBackup. */
export function createBackupMethods({
  backups,
}: BackupMethodsDeps): Pick<ServiceImpl<typeof EngineService>, "createBackup"> {
  return {
    createBackup: async (_request, context) => {
      const { path, bytes, createTimeMs } = await backups.create(actorOf(context));
      return { path, sizeBytes: BigInt(bytes), createTime: timestampFromMs(createTimeMs) };
    },
  };
}
