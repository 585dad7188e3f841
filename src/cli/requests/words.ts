import { Priority, RequestState } from "../../client/client.ts";

/** What is typed and shown for states and priorities. */
export const STATES = {
  open: RequestState.OPEN,
  answered: RequestState.ANSWERED,
  dismissed: RequestState.DISMISSED,
  cancelled: RequestState.CANCELLED,
  expired: RequestState.EXPIRED,
} as const;

export const PRIORITIES = {
  low: Priority.LOW,
  normal: Priority.NORMAL,
  high: Priority.HIGH,
  urgent: Priority.URGENT,
} as const;

/** A newer engine may have states that are not known here. */
export function stateName(state: RequestState): string {
  return nameIn(STATES, state);
}

export function priorityName(priority: Priority): string {
  return nameIn(PRIORITIES, priority);
}

function nameIn(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
