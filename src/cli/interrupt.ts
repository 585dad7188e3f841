/** Calls `onInterrupt` for each Ctrl-C, until the returned function is called. */
export function onInterrupt(listener: () => void): () => void {
  process.on("SIGINT", listener);
  return () => void process.off("SIGINT", listener);
}
