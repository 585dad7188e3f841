import { create } from "@bufbuild/protobuf";
import { TodoItemSchema, TodoState, type TodoItem } from "../../gen/ts/parley/v1/todo_pb.ts";
import type * as domain from "../todo/todo.ts";

const STATES: Readonly<Record<domain.TodoState, TodoState>> = {
  pending: TodoState.PENDING,
  in_progress: TodoState.IN_PROGRESS,
  done: TodoState.DONE,
};

export function todoToProto({ text, state }: domain.TodoItem): TodoItem {
  return create(TodoItemSchema, { text, state: STATES[state] });
}
