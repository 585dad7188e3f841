import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
  HealthListResponseSchema,
  type Health,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { DomainError } from "../errors.ts";

export interface HealthService {
  readonly service: ServiceImpl<typeof Health>;
  /** Says SERVING or NOT_SERVING from now on, to watchers too. */
  setServing(serving: boolean): void;
  /** Says NOT_SERVING for good and ends the watches. */
  stop(): void;
}

/**
 * The standard health service, for the engine as a whole (the empty name) and for each of its services, which stand and fall
 * together. NOT_SERVING until told otherwise.
 */
export function createHealthService(serviceNames: readonly string[]): HealthService {
  const names = new Set(["", ...serviceNames]);
  const doorbells = new Set<() => void>();
  let status: Status = Status.NOT_SERVING;
  let stopped = false;

  const set = (next: Status): void => {
    status = next;
    for (const ring of doorbells) ring();
  };
  const now = () => create(HealthCheckResponseSchema, { status });

  return {
    setServing: (serving) => set(serving && !stopped ? Status.SERVING : Status.NOT_SERVING),
    stop() {
      stopped = true;
      set(Status.NOT_SERVING);
    },
    service: {
      check({ service }) {
        if (!names.has(service)) {
          throw new DomainError("not_found", "SERVICE_NOT_FOUND", `service "${service}" is not one of this engine's`);
        }
        return now();
      },
      list() {
        return create(HealthListResponseSchema, {
          statuses: Object.fromEntries([...names].map((name) => [name, now()])),
        });
      },
      async *watch({ service }, { signal }) {
        const current = (): Status => (names.has(service) ? status : Status.SERVICE_UNKNOWN);
        let told: Status | undefined;
        for (;;) {
          if (current() !== told) {
            told = current();
            yield create(HealthCheckResponseSchema, { status: told });
          } else if (stopped) {
            throw new DomainError("unavailable", "ENGINE_STOPPING", "the engine is stopping; connect again");
          } else {
            await rung(doorbells, signal);
          }
        }
      },
    },
  };
}

/** Waits until the bell is rung. Rejects with the signal's reason when it is aborted. */
function rung(doorbells: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      doorbells.delete(ring);
      signal.removeEventListener("abort", onAbort);
    };
    const ring = (): void => {
      leave();
      resolve();
    };
    const onAbort = (): void => {
      leave();
      reject(signal.reason as Error);
    };
    if (signal.aborted) return onAbort();
    doorbells.add(ring);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
