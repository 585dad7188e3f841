import type { JsonObject } from "../message/message.ts";

/** What a tool may use of the engine while it runs. */
export interface ToolContext {
  readonly sessionId: string;
  readonly turnId: string;
  readonly callId: string;
  /** Aborted when the turn is cancelled or the engine stops. A tool ends soon after. */
  readonly signal: AbortSignal;
}

/** Something a model can ask to be done. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of type object; what the model is told of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Does it. Returns what the model is told; throws with a message for the model where it fails. */
  run(args: JsonObject, context: ToolContext): Promise<string>;
}
