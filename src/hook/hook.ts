import type { JsonObject } from "../message/message.ts";
import type { RiskLevel } from "../tool/tool.ts";

/** When a hook is called: asked before a tool call, or told after it. */
export type HookTime = "before" | "after";

/** Who is asked or told of tool calls: a program, or whoever answers at a URL. */
export interface Hook {
  /** How people know it. */
  readonly name: string;
  readonly time: HookTime;
  readonly target: HookTarget;
  /** Names of tools, `*` at the end stands for any ending. Empty = all. */
  readonly tools: readonly string[];
  readonly timeoutMs: number;
  /** After a call: it is sent what the call came to. */
  readonly wantsResult: boolean;
  /** One of a workspace can deny and ask, and never allow. */
  readonly source: "engine" | "workspace";
}

export type HookTarget =
  | {
      readonly kind: "command";
      readonly argv: readonly [program: string, ...rest: string[]];
      readonly cwd: string;
      /** All of its environment. */
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly kind: "url"; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  /** One that is named and cannot be used: calling it fails, with this. */
  | { readonly kind: "broken"; readonly problem: string };

/** A tool call, as hooks see it. */
export interface HookCall {
  readonly sessionId: string;
  readonly turnId: string;
  readonly callId: string;
  /** Canonical; empty = none. */
  readonly workspace: string;
  readonly tool: string;
  readonly arguments: JsonObject;
  readonly risk: { readonly level: RiskLevel; readonly reason: string };
}

/** How long a hook has to answer, unless it is said. */
export const DEFAULT_TIMEOUT_MS = 5000;
export const MAX_TIMEOUT_MS = 60_000;

/** Whether a hook is called for a tool. */
export function isFor({ tools }: Pick<Hook, "tools">, tool: string): boolean {
  if (tools.length === 0) return true;
  return tools.some((name) => (name.endsWith("*") ? tool.startsWith(name.slice(0, -1)) : name === tool));
}

/** A hook did not answer as hooks do. The message says why, without its name. */
export class HookFailed extends Error {
  override readonly name = "HookFailed";
}
