import type { Key } from "../terminal/line-editor.ts";
import type { Room, StepView } from "./step.ts";

/** One request that waits for its human. */
export interface Dialog {
  /** False where the key means nothing here. */
  key(key: Key): boolean;
  view(room: Room): StepView;
  /** One step back; false where there is none. */
  back(): boolean;
}
