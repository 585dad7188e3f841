import type { SessionAgent } from "../../agent/agent.ts";
import { offeredTools } from "../../agent/offered-tools.ts";
import { listConversation } from "../../message/message-store.ts";
import type { ModelMessage, ModelRequest } from "../../model/model.ts";
import type { StoredSession } from "../../session/session-store.ts";
import type { OfferedTool } from "../../tool/tool.ts";
import { AGENTS_FILE } from "../../workspace/agents-file.ts";
import { join } from "node:path";
import { showAttachments } from "./shown-attachments.ts";
import { toTranscript } from "./transcript.ts";
import type { TurnDeps } from "../turn-deps.ts";

/** Who says what precedes a conversation. */
export type InstructionSource = "engine" | "agent" | "session" | "workspace";

export interface Instruction {
  readonly source: InstructionSource;
  /** The name of an agent, or the path of a file; empty = there is only one of that source. */
  readonly origin: string;
  readonly text: string;
}

/** All that a model is sent next but for its name. */
export interface ModelContext {
  /** In the order in which they are sent. */
  readonly instructions: readonly Instruction[];
  readonly tools: readonly OfferedTool[];
  readonly messages: readonly ModelMessage[];
}

export type ContextDeps = Pick<TurnDeps, "db" | "tools" | "agents" | "blobs" | "workspaceInstructions">;

/** What the model of a session is sent next: by the turn that calls it, and by whoever asks to see it. */
export async function buildContext(deps: ContextDeps, session: StoredSession): Promise<ModelContext> {
  const [tools, fromWorkspace, conversation] = await Promise.all([
    offeredTools(deps, session),
    deps.workspaceInstructions.read(session.workspace),
    listConversation(deps.db, session.key),
  ]);
  const all: readonly Instruction[] = [
    ...instructionsOf(session.agent),
    { source: "session", origin: "", text: session.systemPrompt },
    { source: "workspace", origin: join(session.workspace, AGENTS_FILE), text: fromWorkspace },
  ];
  return {
    instructions: all.filter(({ text }) => text !== ""),
    tools,
    messages: await showAttachments(deps.blobs, toTranscript(conversation)),
  };
}

function instructionsOf(agent: SessionAgent | undefined): Instruction[] {
  return agent === undefined ? [] : [{ source: "agent", origin: agent.name, text: agent.instructions }];
}

export function toModelRequest(model: string, { instructions, tools, messages }: ModelContext): ModelRequest {
  return { model, systemPrompt: instructions.map(({ text }) => text).join("\n\n"), messages, tools };
}
