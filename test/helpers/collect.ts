/** What a stream gave, and the error that ended it, if one did. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<{ readonly events: T[]; readonly error: unknown }> {
  const events: T[] = [];
  try {
    for await (const event of stream) events.push(event);
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  }
}

/** All text of one kind, joined. */
export function textOf(events: readonly { readonly kind: string }[], kind: "text" | "reasoning" = "text"): string {
  return events.map((event) => (event.kind === kind && "text" in event ? String(event.text) : "")).join("");
}
