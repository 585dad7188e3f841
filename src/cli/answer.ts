import { applyEvent, createTranscript, type Event, Role } from "../client/client.ts";
import type { Context } from "./context.ts";
import { createSpinner } from "./terminal/spinner.ts";

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
  function wait(label: string): void {
    // On one terminal with the answer, it would be drawn over the answer's last line.
    if (out.isTerminal) endLine();
    spinner.start(label);
  }
  return {
    show(event) {
      const { payload } = event;
      if (payload.case === "stepStarted") wait("waiting for the model");
      if (payload.case === "toolCallStarted") wait(`running ${payload.value.name}`);
      if (payload.case === "retryScheduled") wait("waiting to try again");
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
