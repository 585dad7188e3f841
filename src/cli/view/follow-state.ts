import type { FollowState } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { failureOf } from "../failure.ts";

/** A restart of the engine takes less; nobody needs to be told of a hiccup. */
const TELL_AFTER_FAILURES = 3;

/** Tells on stderr when the engine is away, and when it is back: once each. */
export function tellState(context: Context, before: () => void = () => undefined): (state: FollowState) => void {
  let isAway = false;
  return (state) => {
    if (state.kind === "waiting") {
      if (isAway || state.failures < TELL_AFTER_FAILURES) return;
      isAway = true;
      before();
      context.note(`the engine is away, trying again: ${failureOf(state.error).text}`);
    } else if (isAway) {
      isAway = false;
      before();
      context.note("connected again");
    }
  };
}
