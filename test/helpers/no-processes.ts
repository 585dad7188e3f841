import type { Processes } from "../../src/tool/process/processes.ts";

/** Tools that start none. */
export const NO_PROCESSES: Pick<Processes, "endTurn"> = { endTurn: async () => [] };
