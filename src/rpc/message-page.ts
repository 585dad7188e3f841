/** What a page token of a session's messages is good for; GetSnapshot gives the first, ListMessages takes and gives the others. */
export function messagePages(sessionId: string) {
  return { method: "ListMessages", args: [sessionId] };
}
