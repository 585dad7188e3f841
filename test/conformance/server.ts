// The program that connectconformance starts, once for each set of properties: it reads how to serve from stdin, says where on
// stdout, and serves until it is told to stop. What serves is the engine's own listener, guard and limits, with the validation
// interceptor. The others are left out: the suite's service has no access option, and it wants errors exactly as it made
// them, without the reason that ours carry.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { once } from "node:events";
import { createValidation } from "../../src/rpc/interceptors/validate.ts";
import { createApp } from "../../src/server/app.ts";
import { defaultLimits } from "../../src/server/limits.ts";
import { installShutdown } from "../../src/server/shutdown.ts";
import { loadProtos } from "./protos.ts";
import { conformanceRoutes } from "./service.ts";

const protos = loadProtos(process.argv[2] ?? "");
const asked = fromBinary(protos.message("ServerCompatRequest"), await readFrame()) as unknown as {
  messageReceiveLimit: number;
};

const validation = createValidation();
// Some cases compare the time that is left when the method runs with the time that was given.
await validation.warm([protos.service]);
const app = createApp({
  routes: conformanceRoutes(protos),
  rpc: { interceptors: [validation.interceptor] },
  guard: { allowHosts: [], allowOrigins: [] },
  isReady: () => true,
  onError: (error, where) => console.error(where, error),
  limits: { maxMessageBytes: asked.messageReceiveLimit || defaultLimits.maxMessageBytes },
});
installShutdown({
  close: () => app.close({ graceMs: 1_000 }),
  exit: (code) => process.exit(code),
  onFailure: console.error,
});
const { host, port } = await app.listen({ host: "127.0.0.1", port: 0 });
writeFrame(
  toBinary(protos.message("ServerCompatResponse"), create(protos.message("ServerCompatResponse"), { host, port })),
);

async function readFrame(): Promise<Uint8Array> {
  for (;;) {
    const length = process.stdin.read(4) as Buffer | null;
    if (length === null) {
      await once(process.stdin, "readable");
      continue;
    }
    const size = length.readUInt32BE();
    for (;;) {
      const frame = size === 0 ? Buffer.alloc(0) : (process.stdin.read(size) as Buffer | null);
      if (frame !== null) return frame;
      await once(process.stdin, "readable");
    }
  }
}

function writeFrame(bytes: Uint8Array): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}
