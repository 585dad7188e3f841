import type { EventPayload } from "../../event/event.ts";
import type { ToolOutcome } from "../../message/message.ts";
import { insertMessage } from "../../message/message-store.ts";
import type { StoredSession } from "../../session/session-store.ts";
import type { Statement } from "../../store/database.ts";
import { insertTodos } from "../../todo/todo-store.ts";
import type { ToolResult } from "../../tool/tool.ts";
import type { KeptResult } from "./kept-result.ts";
import { setCallEnded } from "./tool-call-store.ts";
import type { TurnDeps } from "../turn-deps.ts";

/** What a call came to. */
export interface CallResult extends KeptResult, Pick<ToolResult, "todos"> {
  readonly outcome: ToolOutcome;
}

/** The facts of a call that is over: its end, which is also its message. */
export function toolCallEnded(
  deps: Pick<TurnDeps, "newId">,
  session: Pick<StoredSession, "id" | "key">,
  turnId: string,
  callId: string,
  { todos, ...result }: CallResult,
) {
  const messageId = deps.newId("msg");
  const events: EventPayload[] = [
    { kind: "tool_call_ended", callId, ...result, messageId },
    ...(todos === undefined ? [] : [{ kind: "todo_changed", items: todos } as const]),
  ];
  const changes = (seq: number, createTimeMs: number): readonly Statement[] => [
    setCallEnded(callId, result.outcome),
    insertMessage(
      session.key,
      {
        id: messageId,
        sessionId: session.id,
        turnId,
        role: "tool",
        status: "complete",
        parts: [{ kind: "tool_result", callId, ...result }],
        model: "",
        usage: undefined,
        createTimeMs,
      },
      seq,
    ),
    ...(todos === undefined ? [] : [insertTodos(session.key, seq + 1, todos)]),
  ];
  return { turnId, events, changes };
}
