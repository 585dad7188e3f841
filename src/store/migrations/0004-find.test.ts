import Sqlite from "better-sqlite3";
import { expect, it } from "vitest";
import { migrate } from "../migrate.ts";
import { core } from "./0001-core.ts";
import { queue } from "./0002-queue.ts";
import { sessions } from "./0003-sessions.ts";

const SESSION = `INSERT INTO sessions (id, title, profile, model, system_prompt, labels, limits, starred, resume_after_restart,
  retry_partial, state, running_turn_id, last_turn_id, last_seq, input_tokens, output_tokens, reasoning_tokens,
  cached_input_tokens, model_calls, create_time_ms, update_time_ms)
  VALUES (?, ?, 'demo', '', '', ?, '{}', 0, 0, 0, 'idle', '', '', 0, 0, 0, 0, 0, 0, 1, 1)`;
const MESSAGE = `INSERT INTO messages (id, session_key, session_id, turn_id, seq, role, status, parts, model, usage, create_time_ms)
  VALUES (?, 1, 'ses_1', 'turn_1', ?, 'user', ?, ?, '', '', 5)`;

it("brings an older store along: sessions are found at once, messages are written down to be indexed, nothing is lost", () => {
  const db = new Sqlite(":memory:");
  for (const sql of [core, queue, sessions]) db.exec(sql);
  db.pragma("application_id = 1347570777");
  db.pragma("user_version = 3");
  db.prepare(SESSION).run("ses_1", "Größe (und) 日本", '{"a":"b"}');
  db.prepare(SESSION).run("ses_2", "", "{}");
  db.prepare(MESSAGE).run("msg_2", 1, "complete", "[1]");
  db.prepare(MESSAGE).run("msg_1", 2, "interrupted", "[2]");
  db.prepare(MESSAGE).run("msg_3", 3, "streaming", "[]");
  const before = db.prepare("SELECT * FROM messages ORDER BY seq").all();

  migrate(db);

  const titles = db.prepare("SELECT title_folded FROM sessions ORDER BY key").pluck().all();
  expect(titles).toEqual(["große und 日 本", ""]);
  const found = db.prepare("SELECT rowid FROM session_index WHERE session_index MATCH ?").pluck();
  expect(found.all('"große" AND "本" AND "=l61x62" AND "=s0" AND "=p64656d6f"')).toEqual([1]);
  expect(found.all('"=s0"')).toEqual([1, 2]);
  const after = db.prepare("SELECT * FROM messages ORDER BY seq").all();
  // Later migrations add columns.
  expect(after).toMatchObject(before.map((row, i) => ({ key: i + 1, ...(row as object) })));
  expect(db.prepare("SELECT message_key FROM unindexed_messages ORDER BY place").pluck().all()).toEqual([1, 2]);
  // The key of one that is gone is nobody else's.
  db.exec("DELETE FROM messages");
  db.prepare(MESSAGE).run("msg_4", 1, "complete", "[]");
  expect(db.prepare("SELECT key FROM messages").pluck().all()).toEqual([4]);
  db.close();
});
