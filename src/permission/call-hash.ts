import { createHash } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import type { JsonObject } from "../message/message.ts";

/** What a decision is bound to: the tool and every argument, whatever the order in which they were written. */
export function hashOfCall({
  name,
  arguments: args,
}: {
  readonly name: string;
  readonly arguments: JsonObject;
}): string {
  return createHash("sha256")
    .update(canonicalJson([name, args]))
    .digest("hex");
}
