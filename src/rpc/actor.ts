import type { HandlerContext } from "@connectrpc/connect";
import { principalKey } from "./interceptors/principal.ts";

/** The name of the caller's token, as events and turns record it. */
export function actorOf(context: HandlerContext): string {
  return context.values.get(principalKey)?.name ?? "";
}
