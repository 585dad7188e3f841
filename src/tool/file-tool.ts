import type { JsonObject } from "../message/message.ts";
import type { Assessment, ToolPlace } from "./tool.ts";

/** What a file tool may use of the engine while it runs. */
export interface FileToolContext extends ToolPlace {
  /** Aborted when the turn is cancelled or the engine stops. */
  readonly signal: AbortSignal;
}

/** A picture that the model is shown. */
export interface ToolImage {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a call came to. */
export interface ToolResult {
  /** What the model is told. `cutResult` makes what is too long for a message short. */
  readonly text: string;
  readonly images?: readonly ToolImage[];
}

/** A tool that works on the files of a session's workspace, and on nothing else. */
export interface FileTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of type object; what the model is told of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What a call would do; changes nothing. Throws with a message for the model where the call could never work. */
  assess(args: JsonObject, place: ToolPlace): Promise<Assessment>;
  /** What would change, as a unified diff; absent for tools that change no files. */
  preview?(args: JsonObject, place: ToolPlace): Promise<string>;
  /** Does it. Throws with a message for the model where it fails. */
  run(args: JsonObject, context: FileToolContext): Promise<ToolResult>;
}
