import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "../../clock.ts";
import type { Event, Request } from "../../client/client.ts";
import type { Output } from "../output.ts";
import type { Key } from "../terminal/line-editor.ts";
import type { AskedView } from "../terminal/prompt-view.ts";
import { wrapItems, wrapWords } from "../terminal/wrap-words.ts";
import type { Dialog } from "./dialog.ts";
import { createOpenRequests } from "./open-requests.ts";
import { createDialog } from "./question-dialog.ts";
import type { DialogHost, Judgement, Reply } from "./reply.ts";
import { charOf, isEnter, type Room } from "./step.ts";
import { createTypingGuard } from "./typing-guard.ts";

/** Where the requests of a session come up for a human at a terminal, one after the other, beside what is being typed. */
export interface Desk {
  readonly open: readonly Request[];
  /** Whether the answer to a request was given here. */
  isOwn(requestId: string): boolean;
  see(event: Event): void;
  take(requests: readonly Request[]): void;
  /** True where the key was for what is asked, and not for what is typed. */
  key(key: Key, typed: string): boolean;
  /** What was typed has been sent. */
  sent(): void;
  draw(room: Room, typed: string): AskedView | undefined;
  close(): void;
}

export interface DeskOptions {
  readonly output: Output;
  readonly clock: Clock;
  show(lines: readonly string[]): void;
  edit(text: string, fileName: string): Promise<string> | undefined;
  /** The session that one looks at: what others ask is told with their names. */
  readonly sessionId: () => string | undefined;
  refresh(): void;
  /** Has the call that a request is about judged with other arguments. Rejects with what is to be told. */
  judge(request: Request, args: JsonObject): Promise<Judgement>;
  /** Resolves when the answer counts; rejects with what is to be told. */
  send(request: Request, reply: Reply): Promise<void>;
  note(text: string): void;
}

export function createDesk(options: DeskOptions): Desk {
  const { output, clock, show, edit, sessionId, refresh, send, note } = options;
  const requests = createOpenRequests();
  const guard = createTypingGuard(clock);
  const own = new Set<string>();
  let shown: { readonly request: Request; readonly dialog: Dialog } | undefined;
  // Where a human wants keys to go; undefined = to what is asked, unless something is being typed.
  let wanted: "dialog" | "line" | undefined;
  let pasteTo: "dialog" | "line" | undefined;
  let sendingId: string | undefined;
  let complaint = "";
  let lastKey: Key = {};
  let cancelTimer: (() => void) | undefined;

  const host: DialogHost = {
    show,
    edit,
    refresh,
    reply(reply) {
      if (shown !== undefined) void answer(shown.request, reply);
    },
    async judge(args) {
      if (shown === undefined) throw new Error("nothing is asked any more");
      return options.judge(shown.request, args);
    },
    complain(text) {
      complaint = text;
      refresh();
    },
  };

  async function answer(request: Request, reply: Reply): Promise<void> {
    guard.answered(lastKey);
    sendingId = request.id;
    own.add(request.id);
    refresh();
    try {
      await send(request, reply);
      requests.close(request.id);
    } catch (error) {
      own.delete(request.id);
      host.complain((error as Error).message);
    }
    sendingId = undefined;
    refresh();
  }

  function hasFocus(typed: string): boolean {
    if (shown === undefined || guard.msUntilReady > 0) return false;
    return wanted === "dialog" || (wanted === undefined && typed === "");
  }
  function pasteKey(key: Key, typed: string): boolean {
    if (key.name === "paste-start") {
      pasteTo = hasFocus(typed) && shown?.dialog.key(key) === true ? "dialog" : "line";
      return pasteTo === "dialog";
    }
    const isHere = pasteTo === "dialog";
    if (key.name === "paste-end") pasteTo = undefined;
    if (isHere) shown?.dialog.key(key);
    return isHere;
  }
  /** One step back; then to what is typed. */
  function goBack(dialog: Dialog): void {
    if (!dialog.back()) wanted = "line";
  }
  function dialogKey(dialog: Dialog, key: Key): boolean {
    const isInterrupt = key.ctrl === true && key.name === "c";
    complaint = "";
    if (sendingId !== undefined && !isInterrupt) return true;
    if (key.name === "escape" || isInterrupt) {
      goBack(dialog);
      if (isInterrupt && wanted === "line")
        note("nothing was answered, it waits on; Ctrl-C again stops the turn, Tab goes back");
      return true;
    }
    lastKey = key;
    if (dialog.key(key)) return true;
    const char = charOf(key);
    if (char === "/") wanted = "line";
    else if (char !== undefined || isEnter(key)) complaint = "that key answers nothing here; Tab goes to what you type";
    return char !== "/" && (char !== undefined || isEnter(key));
  }

  function headerRows(columns: number): string[] {
    const { request } = shown ?? {};
    const count = requests.list.length;
    const other = request !== undefined && request.sessionId !== sessionId() && request.sessionId !== "";
    const parts = [
      "waiting for you",
      count > 1 ? `1 of ${count}` : "",
      other ? `asked by a sub-agent, ${request.sessionId}` : "",
      request?.claimedBy ? `claimed by ${output.foreignLine(request.claimedBy)}` : "",
    ];
    return wrapItems(`? ${parts.filter(Boolean).join(" · ")}`, columns - 1).map(output.style.yellow);
  }
  function keyRows(keys: string, isFocused: boolean, columns: number): string[] {
    const { style, foreignLine } = output;
    if (complaint !== "") return wrapWords(foreignLine(complaint), columns - 1).map(style.red);
    if (sendingId !== undefined) return [style.dim("sending …")];
    if (guard.msUntilReady > 0) return [""];
    return isFocused ? wrapItems(keys, columns - 1).map(style.cyan) : [style.yellow("Tab answers")];
  }
  /** What is asked, in what the rows around it leave. */
  function viewAround(dialog: Dialog, { columns, rows }: Room, isFocused: boolean): AskedView {
    const head = headerRows(columns);
    const viewIn = (left: number) => dialog.view({ columns, rows: Math.max(3, left) });
    const first = viewIn(rows - head.length - 1);
    const keys = keyRows(first.keys, isFocused, columns);
    const { lines, cursorAfter } = keys.length === 1 ? first : viewIn(rows - head.length - keys.length);
    return {
      lines: [...head, ...lines, ...keys],
      cursorAfter: cursorAfter === undefined ? undefined : [...head, cursorAfter].join("\n"),
      hasFocus: isFocused,
    };
  }
  function wakeWhenReady(): void {
    cancelTimer?.();
    cancelTimer = guard.msUntilReady === 0 ? undefined : clock.after(guard.msUntilReady, refresh);
  }

  return {
    get open() {
      return requests.list;
    },
    isOwn: (requestId) => own.has(requestId),
    see: (event) => requests.see(event),
    take: (all) => requests.take(all),
    key(key, typed) {
      if (shown === undefined) return false;
      if (pasteTo !== undefined || key.name === "paste-start") return pasteKey(key, typed);
      if (key.name === "escape" && wanted === "line" && typed === "") {
        wanted = "dialog";
        return true;
      }
      if (key.name === "tab" && !typed.startsWith("/")) {
        wanted = hasFocus(typed) ? "line" : "dialog";
        return true;
      }
      const isFocused = hasFocus(typed);
      const taken = guard.take(key);
      if (taken === "repeated") return true;
      return taken === "answer" && isFocused && dialogKey(shown.dialog, key);
    },
    sent() {
      wanted = undefined;
    },
    draw({ columns, rows }, typed) {
      const [request] = requests.list;
      if (request === undefined) {
        shown = undefined;
        return undefined;
      }
      if (request.id !== shown?.request.id) {
        shown = { request, dialog: createDialog(output, request, host) };
        wanted = undefined;
        complaint = "";
        guard.asks();
      }
      wakeWhenReady();
      return viewAround(shown.dialog, { columns, rows }, hasFocus(typed));
    },
    close() {
      cancelTimer?.();
      requests.take([]);
    },
  };
}
