import { waitingLine } from "./command-queue.ts";
import type { Chat } from "./state.ts";
import { ApprovalMode } from "../../client/client.ts";
import { modeWord } from "../permissions/words.ts";
import { formatCount, formatSpan } from "../view/format.ts";

const MAX_WAITING = 4;

/** The line below what is typed: what the session does, with whom, and what it cost. */
export function statusLine(chat: Chat, label: string, nowMs: number): string {
  const { room, context, isEngineAway, next } = chat;
  const { foreignLine } = context.out;
  if (isEngineAway) return "◌ the engine is away, trying again";
  if (room === undefined)
    return ["○ new session", shownMode(next.approvalMode), foreignLine(next.model)].filter(Boolean).join(" · ");
  const { facts } = room;
  const asked = chat.desk?.open.length ?? 0;
  const state =
    facts.runningTurnId === undefined
      ? "○ idle"
      : asked > 0
        ? `◐ waits for ${asked === 1 ? "an answer" : `${asked} answers`}`
        : `● ${label || "answering"} ${formatSpan(nowMs - facts.runningSinceMs)}`;
  const count = facts.queue.length;
  const isPaused = count > 0 && facts.runningTurnId === undefined;
  return [
    state,
    shownMode(facts.mode),
    foreignLine(facts.model),
    facts.tokens === 0n ? "" : formatCount(facts.tokens, "token"),
    count === 0 ? "" : `${count} waiting${isPaused ? ", until an answer completes" : ""}`,
    `${facts.isStarred ? "★ " : ""}${foreignLine(facts.title)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The mode where it is another than people expect. */
function shownMode(mode: ApprovalMode): string {
  return mode === ApprovalMode.DEFAULT || mode === ApprovalMode.UNSPECIFIED ? "" : modeWord(mode);
}

/** What is on its way to the engine, and what waits there. */
export function waitingLines(chat: Chat, sending: readonly string[]): string[] {
  const { out } = chat.context;
  const queue = chat.room?.facts.queue ?? [];
  const lines = queue.slice(0, MAX_WAITING).map((message) => out.style.dim(`  ⧗ ${waitingLine(chat, message)}`));
  const more = queue.length - lines.length;
  if (more > 0) lines.push(out.style.dim(`  ⧗ ${more} more; /queue lists them`));
  for (const text of sending) {
    const [first = ""] = text.trim().split("\n");
    lines.push(out.style.dim(`  … ${out.foreignLine(first).slice(0, Math.max(10, out.columns - 8))}`));
  }
  return lines;
}
