import type { Processes } from "../../src/tool/processes.ts";

/** Tools that start none. */
export const NO_PROCESSES: Pick<Processes, "endTurn"> = { endTurn: async () => [] };
