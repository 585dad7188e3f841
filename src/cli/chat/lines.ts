import { createInterface } from "node:readline";
import type { Context } from "../context.ts";

/** What is piped in, line by line. A line that ends with a backslash goes on in the next. */
export interface ChatLines {
  /** Undefined when there will be none. */
  read(): Promise<string | undefined>;
  close(): void;
}

export function createChatLines({ stdin }: Context): ChatLines {
  const reader = createInterface({ input: stdin, terminal: false });
  const lines = reader[Symbol.asyncIterator]();
  return {
    async read() {
      let begun = "";
      for (;;) {
        const next = await lines.next();
        if (next.done === true) return begun === "" ? undefined : begun;
        if (!next.value.endsWith("\\")) return begun + next.value;
        begun += `${next.value.slice(0, -1)}\n`;
      }
    },
    close: () => reader.close(),
  };
}
