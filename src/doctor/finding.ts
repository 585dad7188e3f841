/** What was looked at, and how it is. `warning`: it works, and somebody should know. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  /** What was found; of what is not ok also what to do. */
  readonly detail: string;
}

export function ok(name: string, detail: string): Finding {
  return { name, state: "ok", detail };
}

export function warning(name: string, detail: string): Finding {
  return { name, state: "warning", detail };
}

export function failed(name: string, detail: string): Finding {
  return { name, state: "failed", detail };
}

/** The first few of many. */
export function some(items: readonly string[], most = 3): string {
  const more = items.length - most;
  return items.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
