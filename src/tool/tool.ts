import type { JsonObject } from "../message/message.ts";
import type { TodoItem } from "../todo/todo.ts";
import type { AroundChange } from "../workspace/file-change.ts";

/** What a call can do, from nothing outside of its session to what nobody can tell. Decides together with the session's mode. */
export type RiskLevel = "none" | "read" | "edit" | "safe" | "destructive" | "unknown";

/** What a call can do, and why one thinks so, in words for the human who is asked. */
export interface Risk {
  readonly level: RiskLevel;
  readonly reason: string;
}

/** What permission rules and protected paths are held against. A call is allowed by rules only where each of its subjects is. */
export type Subject =
  /** A file or folder. `path` is canonical; `given` as the model wrote it, resolved against the workspace without following links. */
  | {
      readonly kind: "path";
      readonly access: "read" | "write";
      readonly path: string;
      readonly given: string;
      /** True: a command of the call names it, and the rules that allow the command allow it too. */
      readonly isNamed?: boolean;
    }
  /** One plain command of a shell command. */
  | {
      readonly kind: "command";
      /** After quoting is undone. */
      readonly words: readonly string[];
      /** How many of them, from the first on, are what they will be when it runs; the shell makes the others up then. */
      readonly fixedWords: number;
      /** True: it stands in a text that a command of the call runs (`bash -c`), and the rules that allow that one allow it too. */
      readonly isNamed?: boolean;
    }
  | { readonly kind: "host"; readonly host: string };

/** What a call is, before it is decided on. */
export interface Assessment {
  readonly risk: Risk;
  readonly subjects: readonly Subject[];
  /** True: only a human may let it run, this once; no rule can (what cannot be understood is asked about). */
  readonly onlyOnce?: boolean;
  /** True: what it touches is not among the subjects, not even in part, so no mode lets it run unasked. */
  readonly isUnseen?: boolean;
}

/** Where a session's tools work. */
export interface ToolPlace {
  readonly sessionId: string;
  /** The canonical folder that the session may touch; empty = none. */
  readonly workspace: string;
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
  /** What the session's list of things to do is from now on; absent = as before. */
  readonly todos?: readonly TodoItem[];
}

/** Where a program prints. */
export type OutputStream = "stdout" | "stderr";

/** What a tool may use of the engine while it runs. */
export interface ToolContext extends ToolPlace {
  readonly turnId: string;
  readonly callId: string;
  /** Aborted when the turn is cancelled or the engine stops. A tool ends soon after. */
  readonly signal: AbortSignal;
  /** Shows what a running program prints, to who looks on. Resolves when more may come; what is too much is left out. */
  readonly output: (stream: OutputStream, text: string) => Promise<void>;
  /** Stands around each change of a file: what it was is kept, so that people see and undo it. Throws where the turn is over. */
  readonly changes: AroundChange;
}

/** An answer to choose. */
export interface QuestionOption {
  readonly id: string;
  readonly label: string;
  readonly description: string;
}

/** What a human is asked. */
export interface HumanQuestion {
  /** In one line. */
  readonly title: string;
  /** Markdown; may be empty. */
  readonly body: string;
  /** Empty = text, or the form. */
  readonly options: readonly QuestionOption[];
  /** JSON Schema of an object. */
  readonly form?: JsonObject;
}

/** Who does what a call asks for, where the tool itself does not: the call takes no memory then, and outlives the engine. */
export type WaitFor =
  | { readonly kind: "human"; readonly question: HumanQuestion }
  | { readonly kind: "agent"; readonly agent: string; readonly task: string };

/** What a model knows of a tool. */
interface KnownTool {
  readonly name: string;
  /** Who brings it, where that is not the engine itself. */
  readonly origin?: string;
  readonly description: string;
  /** JSON Schema of type object; what the model is told of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /**
   * What a call would do; reads at most, changes nothing. Throws with a message for the model where the arguments are wrong:
   * the call fails then without anybody being asked.
   */
  assess(args: JsonObject, place: ToolPlace): Assessment | Promise<Assessment>;
}

/** Something a model can ask to be done by others: what they say is the result of the call. */
export interface WaitingTool extends KnownTool {
  /** Throws as `assess` does. */
  waitFor(args: JsonObject): WaitFor;
  readonly run?: undefined;
  readonly preview?: undefined;
}

/** Whatever a model can be offered. */
export type OfferedTool = Tool | WaitingTool;

/** Something a model can ask to be done. */
export interface Tool extends KnownTool {
  /** What would change, as a unified diff; absent for tools that change no files. */
  preview?(args: JsonObject, place: ToolPlace): Promise<string>;
  /** True: a run settles soon after its signal, once nothing of it is left, and the end of its turn waits for that. */
  readonly isAwaited?: boolean;
  /** Does it. Throws with a message for the model where it fails. */
  run(args: JsonObject, context: ToolContext): Promise<ToolResult>;
}
