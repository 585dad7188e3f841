/** Where a thing to do is. */
export type TodoState = "pending" | "in_progress" | "done";

/** One of the things that an agent means to do. */
export interface TodoItem {
  readonly text: string;
  readonly state: TodoState;
}

export const MAX_TODO_ITEMS = 100;
export const MAX_TODO_CHARS = 500;
