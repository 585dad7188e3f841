import { expect, test } from "vitest";
import { missed } from "./figure.ts";
import { slowReaders } from "./slow-readers.ts";

test(
  "readers that never read or vanish cost the others nothing, and leave nothing behind",
  { timeout: 900_000 },
  async () => {
    expect(missed(await slowReaders({ never: 100, vanish: 40, read: 20 }))).toEqual([]);
  },
);
