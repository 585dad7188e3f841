// A page that shows an engine's sessions and one of them live, and goes on by itself over restarts of the engine.
import {
  applyEvent,
  createTranscript,
  followSession,
  MessageStatus,
  Role,
  type Session,
  SessionState,
  type Transcript,
} from "../../src/client/api.ts";
import { type Engine, openEngine, watchSessions } from "./engine.ts";
import { applyToRequests, showRequest } from "./requests.ts";

const connectForm = document.querySelector<HTMLFormElement>("#connect")!;
const url = document.querySelector<HTMLInputElement>("#url")!;
const token = document.querySelector<HTMLInputElement>("#token")!;
const stateView = document.querySelector<HTMLElement>("#state")!;
const newButton = document.querySelector<HTMLButtonElement>("#new")!;
const list = document.querySelector<HTMLElement>("#sessions")!;
const transcriptView = document.querySelector<HTMLElement>("#transcript")!;
const requestsView = document.querySelector<HTMLElement>("#requests")!;
const sayForm = document.querySelector<HTMLFormElement>("#say")!;
const text = document.querySelector<HTMLTextAreaElement>("#text")!;

const CLASSES = new Map<Role, string>([
  [Role.USER, "user"],
  [Role.TOOL, "tool"],
]);

let engine: Engine | undefined;
let connection = new AbortController();
let openSession: { readonly id: string; readonly following: AbortController } | undefined;

// This tab only, and gone with it: a token opens everything that its scope allows.
url.value = sessionStorage.getItem("url") ?? url.value;
token.value = sessionStorage.getItem("token") ?? "";
if (token.value !== "") connect();
connectForm.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("url", url.value);
  sessionStorage.setItem("token", token.value);
  connect();
});

function connect(): void {
  connection.abort();
  connection = new AbortController();
  const opened = openEngine(url.value, token.value);
  engine = opened;
  show("connecting", "connecting ...");
  const onState = (state: { kind: "live" } | { kind: "away"; waitMs: number }): void => {
    if (state.kind === "live") show("live", "connected");
    else show("away", `the engine is away; trying again in ${(state.waitMs / 1000).toFixed(1)} s`);
    for (const button of document.querySelectorAll<HTMLButtonElement>("nav button, #say button"))
      button.disabled = state.kind !== "live";
    text.disabled = state.kind !== "live";
  };
  run(watchSessions(opened, { onSessions: showSessions, onState }, connection.signal));
}

newButton.addEventListener("click", () => {
  run(
    (async () => {
      const request = { idempotencyKey: crypto.randomUUID(), resumeAfterRestart: true };
      const { session } = await engine!.sessions.createSession(request);
      open(session!.id);
    })(),
  );
});

function showSessions(sessions: readonly Session[]): void {
  list.replaceChildren(
    ...sessions.map(({ id, title, state }) => {
      const button = document.createElement("button");
      button.textContent = title === "" ? "untitled" : title;
      button.title = id;
      button.dataset["running"] = String(state === SessionState.RUNNING);
      button.ariaCurrent = String(id === openSession?.id);
      button.addEventListener("click", () => open(id));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
}

function open(id: string): void {
  openSession?.following.abort();
  const following = new AbortController();
  connection.signal.addEventListener("abort", () => following.abort(), { once: true });
  openSession = { id, following };
  for (const button of list.querySelectorAll("button")) button.ariaCurrent = String(button.title === id);
  run(follow(engine!, id, following.signal));
  text.focus();
}

/** Shows a session as it is, then what happens: over lost connections each event comes once. */
async function follow(from: Engine, sessionId: string, signal: AbortSignal): Promise<void> {
  const snapshot = await from.sessions.getSnapshot({ sessionId, pageSize: 1000 }, { signal });
  const { lastSeq: afterSeq, logEpoch } = snapshot;
  let transcript = createTranscript(snapshot);
  const requests = new Map(snapshot.requests.map((request) => [request.id, request]));
  const showRequests = (): void =>
    requestsView.replaceChildren(...[...requests.values()].map((request) => showRequest(from, request, run)));
  transcriptView.replaceChildren();
  showRequests();
  for await (const item of followSession(from, { sessionId, afterSeq, logEpoch, signal })) {
    // Another log than before, such as a backup's: it is read from its beginning.
    if (item.kind === "reset") {
      transcript = createTranscript();
      requests.clear();
      showRequests();
    } else if (item.kind === "event") {
      applyEvent(transcript, item.event);
      if (applyToRequests(requests, item.event)) showRequests();
    }
    showTranscript(transcript);
  }
}

/** Text is only ever text here: what a model says is never made into HTML. */
function showTranscript({ messages }: Transcript): void {
  const isAtEnd = transcriptView.scrollHeight - transcriptView.scrollTop - transcriptView.clientHeight < 40;
  const shown = [...messages.values()].filter((message) => message.text !== "");
  shown.forEach((message, i) => {
    const line = transcriptView.children[i] ?? transcriptView.appendChild(document.createElement("p"));
    const isCut = message.status > MessageStatus.COMPLETE;
    line.className = `message ${CLASSES.get(message.role) ?? ""}${isCut ? " cut" : ""}`;
    if (line.textContent !== message.text) line.textContent = message.text;
  });
  while (transcriptView.children.length > shown.length) transcriptView.lastElementChild!.remove();
  if (isAtEnd) transcriptView.scrollTop = transcriptView.scrollHeight;
}

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sayForm.requestSubmit();
});
sayForm.addEventListener("submit", (event) => {
  event.preventDefault();
  if (openSession === undefined || text.value.trim() === "") return;
  const parts = [{ content: { case: "text" as const, value: text.value } }];
  text.value = "";
  // While a turn runs it waits for its end; on an idle session it starts at once.
  run(engine!.messages.followUp({ sessionId: openSession.id, idempotencyKey: crypto.randomUUID(), parts }));
});

function show(kind: string, words: string): void {
  stateView.dataset["kind"] = kind;
  stateView.textContent = words;
}

/** A task of the page: what fails is shown. */
function run(task: Promise<unknown>): void {
  task.catch((error: Error) => show("refused", error.message));
}
