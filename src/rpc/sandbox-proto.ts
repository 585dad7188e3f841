import type { MessageInitShape } from "@bufbuild/protobuf";
import { type SandboxInfoSchema, SandboxMode } from "../../gen/ts/parley/v1/engine_service_pb.ts";
import type { SandboxMode as Mode, SandboxState } from "../tool/sandbox/sandbox.ts";

const MODES: Readonly<Record<Mode, SandboxMode>> = {
  required: SandboxMode.REQUIRED,
  auto: SandboxMode.AUTO,
  off: SandboxMode.OFF,
};

export function sandboxToProto({
  mode,
  isActive,
  kind,
  reason,
}: SandboxState): MessageInitShape<typeof SandboxInfoSchema> {
  return { mode: MODES[mode], active: isActive, kind, reason };
}
