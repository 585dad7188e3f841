import type { Database, Row, Statement } from "../store/database.ts";
import type { TodoItem } from "./todo.ts";

export interface TodoRow extends Row {
  items: string;
}

export function todosFromRow(row: TodoRow | undefined): readonly TodoItem[] {
  return row === undefined ? [] : (JSON.parse(row.items) as TodoItem[]);
}

/** The list that was in force at a place in the log; answers a `TodoRow`, or nothing. */
export function selectTodos(sessionKey: number, endSeq = Number.MAX_SAFE_INTEGER): Statement {
  return {
    sql: "SELECT items FROM todo_lists WHERE session_key = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
    params: [sessionKey, endSeq],
  };
}

export async function listTodos(db: Database, sessionKey: number, endSeq?: number): Promise<readonly TodoItem[]> {
  return todosFromRow(await db.get<TodoRow>(selectTodos(sessionKey, endSeq)));
}

/** Puts a list in force, from the event with this number on. */
export function insertTodos(sessionKey: number, seq: number, items: readonly TodoItem[]): Statement {
  return {
    sql: "INSERT INTO todo_lists (session_key, seq, items) VALUES (?, ?, ?)",
    params: [sessionKey, seq, JSON.stringify(items)],
  };
}

/** Whether a list was put in force at a place or after it. */
export async function hasTodosFrom(db: Database, sessionKey: number, seq: number): Promise<boolean> {
  const row = await db.get({
    sql: "SELECT 1 AS one FROM todo_lists WHERE session_key = ? AND seq >= ? LIMIT 1",
    params: [sessionKey, seq],
  });
  return row !== undefined;
}

/** Takes back what was put in force at a place or after it: the list before is in force again. */
export function deleteTodosFrom(sessionKey: number, seq: number): Statement {
  return { sql: "DELETE FROM todo_lists WHERE session_key = ? AND seq >= ?", params: [sessionKey, seq] };
}
