import { type Event, type Request, RequestState } from "../../client/client.ts";

/** What waits for a human in a session, the oldest first, kept up with its events. */
export interface OpenRequests {
  readonly list: readonly Request[];
  see(event: Event): void;
  take(requests: readonly Request[]): void;
  close(id: string): void;
}

export function createOpenRequests(): OpenRequests {
  const open = new Map<string, Request>();
  // An event may come after the answer to the call that caused it.
  const closed = new Set<string>();

  function add(request: Request | undefined): void {
    if (request !== undefined && request.state === RequestState.OPEN && !closed.has(request.id))
      open.set(request.id, request);
  }
  function close(id: string): void {
    closed.add(id);
    open.delete(id);
  }
  return {
    get list() {
      return [...open.values()];
    },
    see({ payload }) {
      if (payload.case === "requestOpened") add(payload.value.request);
      else if (payload.case === "requestResolved" && payload.value.request !== undefined)
        close(payload.value.request.id);
      // Those that are open are told again.
      else if (payload.case === "historyCleared") open.clear();
    },
    take(requests) {
      open.clear();
      for (const request of requests) add(request);
    },
    close,
  };
}
