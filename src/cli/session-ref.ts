import type { Client } from "../client/client.ts";
import { NotThereError, UsageError } from "./failure.ts";

/** As long as an id is; anything that long is taken as one. */
const ID_CHARS = 29;
const PAGE = 500;

/**
 * The session that a human means: its id, the beginning or the end of it where no other has the same, or `-` or `last`
 * for the newest. A whole id is not looked up.
 */
export async function resolveSession(client: Client, given: string): Promise<string> {
  if (given.length >= ID_CHARS) return given;
  if (given === "-" || given === "last") {
    const [newest] = (await client.sessions.listSessions({ pageSize: 1, parentSessionId: "" })).sessions;
    if (newest === undefined) throw new NotThereError("there is no session yet; begin one with `parley chat`");
    return newest.id;
  }
  const found: string[] = [];
  let pageToken = "";
  do {
    const page = await client.sessions.listSessions({ pageSize: PAGE, pageToken });
    for (const { id } of page.sessions) if (isMeant(id, given)) found.push(id);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < 2);
  const [only, another] = found;
  if (only === undefined)
    throw new NotThereError(`no session is called ${given}; \`parley sessions list\` shows what there is`);
  if (another !== undefined)
    throw new UsageError(`${given} means more than one session (${only}, ${another}); give more of it`);
  return only;
}

/** Each of them once, in the order of their first mention. */
export async function resolveSessions(client: Client, given: readonly string[]): Promise<string[]> {
  const ids = new Set<string>();
  for (const name of given) ids.add(await resolveSession(client, name));
  return [...ids];
}

function isMeant(id: string, given: string): boolean {
  return given !== "" && (id.startsWith(given) || id.startsWith(`ses_${given}`) || id.endsWith(given));
}
