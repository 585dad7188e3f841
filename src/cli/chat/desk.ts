import { list } from "./command.ts";
import type { Chat } from "./state.ts";
import type { ChatTerminal } from "./terminal.ts";
import { createDesk, type Desk } from "../answering/desk.ts";
import { editorOf, editText } from "../answering/external-editor.ts";
import { sendReply } from "../answering/send-reply.ts";
import { systemClock } from "../../clock.ts";
import { failureOf } from "../failure.ts";

/** Where what waits for the human of a chat comes up. `chat` is asked for when it is there. */
export function openDesk(chat: () => Chat, terminal: ChatTerminal): Desk {
  const { screen } = terminal;
  const editIn = async (editor: string, text: string, name: string): Promise<string> => {
    let edited = text;
    await terminal.lend(async () => void (edited = await editText(editor, text, name)));
    return edited;
  };
  return createDesk({
    output: screen.out,
    clock: systemClock,
    sessionId: () => chat().room?.sessionId,
    refresh: screen.refresh,
    show: (lines) => list(chat(), lines),
    note: (text) => chat().context.note(text),
    edit(text, name) {
      const editor = editorOf(chat().context.env);
      return editor === undefined ? undefined : editIn(editor, text, name);
    },
    async judge({ sessionId, permission }, args) {
      const { client, leaving } = chat();
      const call = { sessionId, tool: permission?.tool ?? "", arguments: args };
      try {
        return await client.permissions.checkPermission(call, { signal: leaving.signal });
      } catch (error) {
        throw new Error(failureOf(error).text, { cause: error });
      }
    },
    async send(request, reply) {
      const { client, leaving } = chat();
      try {
        await sendReply(client, request, reply, leaving.signal);
      } catch (error) {
        throw new Error(failureOf(error).text, { cause: error });
      }
    },
  });
}
