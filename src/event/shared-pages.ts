import type { Database } from "../store/database.ts";

/** Pages of what has changed after a revision, read once for all who want the same one. */
export interface SharedPages<Page> {
  readAfter(revision: number): Promise<Page>;
  close(): void;
}

/** Those who keep up read after the same revision: one of them reads for all, until something changes. */
export function createSharedPages<Page>(
  db: Pick<Database, "onRevision">,
  read: (after: number) => Promise<Page>,
): SharedPages<Page> {
  let last: { readonly after: number; readonly page: Promise<Page> } | undefined;
  const off = db.onRevision(() => (last = undefined));
  return {
    readAfter(after) {
      if (last?.after !== after) last = { after, page: read(after) };
      return last.page;
    },
    close: off,
  };
}
