import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { EngineService } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { Backups } from "../backup/backups.ts";

export interface BackupMethodsDeps {
  readonly backups: Backups;
}

/** CreateBackup. */
export function createBackupMethods({
  backups,
}: BackupMethodsDeps): Pick<ServiceImpl<typeof EngineService>, "createBackup"> {
  return {
    createBackup: async () => {
      const { path, bytes, createTimeMs } = await backups.create();
      return { path, sizeBytes: BigInt(bytes), createTime: timestampFromMs(createTimeMs) };
    },
  };
}
