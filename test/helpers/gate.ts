import { createProtectedPaths } from "../../src/permission/protected-paths.ts";
import { createRequestBells } from "../../src/request/request-bells.ts";
import { createFakeClock } from "./fake-clock.ts";

/** Nobody is asked, and nobody is told. */
const NO_HOOKS = { ask: async () => undefined, list: async () => [], tell: () => {} };

/** What turns need to decide on calls, where the data directory is nowhere. */
export function createGate() {
  const bells = createRequestBells(createFakeClock());
  return { protectedPaths: createProtectedPaths("/nowhere"), bells, hooks: NO_HOOKS };
}
