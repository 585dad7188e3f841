import { systemClock } from "../../clock.ts";
import type { Client } from "../../client/client.ts";
import type { Environment } from "../../config.ts";
import { failureOf } from "../failure.ts";
import type { Screen } from "../terminal/screen.ts";
import { createDesk, type Desk } from "./desk.ts";
import { editorOf, editText } from "./external-editor.ts";
import { sendReply } from "./send-reply.ts";

/** A terminal at which a human answers. */
export interface DeskPlace {
  readonly client: Client;
  readonly env: Environment;
  readonly screen: Pick<Screen, "out" | "refresh">;
  /** Ends what is on its way. */
  readonly signal: AbortSignal;
  /** The session that one looks at. */
  sessionId(): string | undefined;
  /** Writes lines where they can be scrolled to. */
  show(lines: readonly string[]): void;
  note(text: string): void;
  /** Lets another program have the terminal, until it ends. */
  lend(use: () => Promise<void>): Promise<void>;
}

/** Where what waits for the human at a terminal comes up. */
export function openDesk({ client, env, screen, signal, sessionId, show, note, lend }: DeskPlace): Desk {
  const editIn = async (editor: string, text: string, name: string): Promise<string> => {
    let edited = text;
    await lend(async () => void (edited = await editText(editor, text, name)));
    return edited;
  };
  return createDesk({
    output: screen.out,
    clock: systemClock,
    sessionId,
    refresh: screen.refresh,
    show,
    note,
    edit(text, name) {
      const editor = editorOf(env);
      return editor === undefined ? undefined : editIn(editor, text, name);
    },
    judge: async ({ sessionId: asking, permission }, args) => {
      const call = { sessionId: asking, tool: permission?.tool ?? "", arguments: args };
      return inWords(client.permissions.checkPermission(call, { signal }));
    },
    send: async (request, reply) => void (await inWords(sendReply(client, request, reply, signal))),
  });
}

/** The same; what it fails with is what a human is told. */
async function inWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new Error(failureOf(error).text, { cause: error });
  }
}
