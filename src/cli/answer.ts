import { applyEvent, createTranscript, type Event, Role } from "../client/client.ts";
import type { Context } from "./context.ts";
import { createSpinner } from "./spinner.ts";

/** Writes what the model says and nothing else to stdout, as it comes. */
export interface Answer {
  show(event: Event): void;
  /** Makes room for a line on stderr. */
  pause(): void;
  end(): void;
}

/** Messages of one turn (before and after a tool call) are separated by a line feed; the last one ends with one. */
export function createAnswer({ out, err }: Context): Answer {
  const transcript = createTranscript();
  const spinner = createSpinner(err);
  let shownId: string | undefined;
  let lastChar = "";

  function write(text: string): void {
    spinner.stop();
    out.write(out.foreign(text));
    lastChar = text.at(-1) ?? lastChar;
  }
  function endLine(): void {
    if (lastChar !== "" && lastChar !== "\n") write("\n");
  }
  return {
    show(event) {
      const { payload } = event;
      if (payload.case === "stepStarted") spinner.start("waiting for the model");
      if (payload.case === "toolCallStarted") spinner.start(`running ${payload.value.name}`);
      if (payload.case === "retryScheduled") spinner.start("waiting to try again");
      const id =
        payload.case === "textDelta"
          ? payload.value.messageId
          : payload.case === "messageCompleted"
            ? payload.value.message?.id
            : undefined;
      const before = id === undefined ? "" : (transcript.messages.get(id)?.text ?? "");
      const now = applyEvent(transcript, event);
      if (now?.role !== Role.ASSISTANT || now.text.length <= before.length) return;
      if (now.id !== shownId) endLine();
      shownId = now.id;
      write(now.text.slice(before.length));
    },
    pause() {
      spinner.stop();
      if (out.isTerminal) endLine();
    },
    end() {
      spinner.stop();
      endLine();
    },
  };
}
