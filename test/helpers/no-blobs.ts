import { blobNotFound } from "../../src/blob/blob.ts";
import type { TurnDeps } from "../../src/turn/turn-deps.ts";

/** Has none. */
export const NO_BLOBS: TurnDeps["blobs"] = {
  get: async (sha256) => {
    throw blobNotFound(sha256);
  },
  read: async ({ sha256 }) => {
    throw blobNotFound(sha256);
  },
};
