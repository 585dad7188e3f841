import type { Titles } from "../../src/title/titles.ts";

/** Leaves sessions without a title: for tests about other things, whose model calls and events are counted. */
export const NO_TITLES: Titles = { begin: () => {}, drop: () => {}, close: async () => {} };
