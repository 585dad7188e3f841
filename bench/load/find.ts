import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ListSessionsRequestSchema,
  SearchMessagesRequestSchema,
} from "../../gen/ts/parley/v1/session_service_pb.ts";
import { connectTo, type Calls, type Target } from "./calls.ts";

/** Times of the same request again and again, and how much each answer held. */
export interface Found {
  readonly ms: number[];
  readonly items: number;
}

interface Input<T> {
  readonly target: Target;
  readonly requests: readonly T[];
  readonly rounds: number;
  readonly warmUp: number;
}

export function lists(input: Input<MessageInitShape<typeof ListSessionsRequestSchema>>): Promise<Found[]> {
  return measure(input, async ({ sessions }, request) => (await sessions.listSessions(request)).sessions.length);
}

export function searches(input: Input<MessageInitShape<typeof SearchMessagesRequestSchema>>): Promise<Found[]> {
  return measure(input, async ({ sessions }, request) => (await sessions.searchMessages(request)).hits.length);
}

/** The requests in turn. */
async function measure<T>(
  { target, requests, rounds, warmUp }: Input<T>,
  call: (calls: Calls, request: T) => Promise<number>,
): Promise<Found[]> {
  const calls = connectTo(target);
  const found = requests.map(() => ({ ms: [] as number[], items: 0 }));
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const [i, request] of requests.entries()) {
      const startMs = performance.now();
      const items = await call(calls, request);
      const one = found[i];
      if (one === undefined) continue;
      one.items = items;
      if (round >= warmUp) one.ms.push(performance.now() - startMs);
    }
  }
  calls.close();
  return found;
}
