// What waits for a human in a session, with buttons that answer it. The first answer counts, wherever it is given.
import { type Event, PermissionDecision, type Request } from "../../src/client/api.ts";
import type { Engine } from "./engine.ts";

/** Takes up an event; tells whether other requests are open than before. */
export function applyToRequests(open: Map<string, Request>, { payload }: Event): boolean {
  if (payload.case === "requestOpened") open.set(payload.value.request!.id, payload.value.request!);
  else if (payload.case === "requestResolved") open.delete(payload.value.request!.id);
  // Those that are open still come again behind it.
  else if (payload.case === "historyCleared") open.clear();
  else return false;
  return true;
}

/** A second click on what stood here before must not answer what stands here now. */
const DEAF_MS = 500;

/** `run` is told of each call that a button makes. */
export function showRequest(engine: Engine, request: Request, run: (call: Promise<unknown>) => void): HTMLElement {
  const { id: requestId, title, body, permission, options } = request;
  const view = document.createElement("section");
  view.className = "request";
  view.append(element("p", title));
  // All that a yes would let happen: what it changes, or the call as it would run.
  const call = permission && (permission.diff || JSON.stringify(permission.arguments, undefined, 2));
  if ((call ?? body) !== "") view.append(element("pre", call ?? body));

  const setDisabled = (disabled: boolean): void => {
    for (const button of view.querySelectorAll("button")) button.disabled = disabled;
  };
  // A key for each request: a click that is sent twice counts once.
  const idempotencyKey = crypto.randomUUID();
  const offer = (label: string, answer: () => Promise<unknown>): void => {
    const click = async (): Promise<void> => {
      setDisabled(true);
      await answer().finally(() => setDisabled(false));
    };
    const button = element("button", label);
    button.disabled = true;
    button.addEventListener("click", () => run(click()));
    view.append(button);
  };
  const decide = (decision: PermissionDecision) => () =>
    engine.permissions.resolvePermission({ requestId, idempotencyKey, decision });
  if (permission !== undefined) {
    offer("Allow once", decide(PermissionDecision.APPROVE));
    offer("Deny", decide(PermissionDecision.DENY));
  }
  for (const { id: value, label } of options) {
    const answer = { content: { case: "optionId" as const, value } };
    offer(label, () => engine.requests.respondRequest({ requestId, idempotencyKey, answer }));
  }
  if (permission === undefined && options.length === 0)
    view.append(element("p", `parley requests answer ${requestId}`));
  setTimeout(() => setDisabled(false), DEAF_MS);
  return view;
}

/** Text is only ever text here. */
function element<Name extends keyof HTMLElementTagNameMap>(name: Name, text: string): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
