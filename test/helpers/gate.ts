import { createProtectedPaths } from "../../src/permission/protected-paths.ts";
import { createRequestBells } from "../../src/request/request-bells.ts";
import { createFakeClock } from "./fake-clock.ts";

/** What turns need to decide on calls, where the data directory is nowhere. */
export function createGate() {
  return { protectedPaths: createProtectedPaths("/nowhere"), bells: createRequestBells(createFakeClock()) };
}
