import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client, Request } from "../../client/client.ts";
import { STATES } from "./words.ts";
import { NotThereError, UsageError } from "../failure.ts";

const PAGE = 500;
/** As long as an id is; anything that long is taken as one. */
const ID_CHARS = 29;

export interface RequestFilter {
  /** Absent = open ones. */
  readonly state?: keyof typeof STATES | "all";
  /** An id; absent = of all sessions and of none. */
  readonly sessionId?: string;
}

/** In the order of the list: the most urgent first, then the oldest. */
export async function* readRequests(
  client: Client,
  { state = "open", sessionId = "" }: RequestFilter,
): AsyncGenerator<Request> {
  const states = state === "all" ? Object.values(STATES) : [STATES[state]];
  let pageToken = "";
  do {
    const page = await client.requests.listRequests({ states, sessionId, pageSize: PAGE, pageToken });
    yield* page.requests;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/**
 * The request that a human means: its id, or the beginning or the end of one that is open, where no other has the same; `last` or
 * `-` for the newest that is open, or that there was. What is found so by nobody is for the engine to refuse.
 */
export async function findRequest(client: Client, given: string): Promise<Request> {
  // Every id begins with nothing: it would mean whatever is the only one.
  if (given.trim() === "") throw new UsageError("give the id of a request; `parley requests list` shows what is open");
  const requestId = given.length >= ID_CHARS ? given : await resolveRequest(client, given);
  const { request } = await client.requests.getRequest({ requestId });
  if (request === undefined) throw new Error("the engine returned no request");
  return request;
}

async function resolveRequest(client: Client, given: string): Promise<string> {
  if (given === "last" || given === "-") return newestRequest(client);
  const found: string[] = [];
  for await (const { id } of readRequests(client, {})) {
    if (id.startsWith(given) || id.startsWith(`req_${given}`) || id.endsWith(given)) found.push(id);
  }
  const [only = given, another] = found;
  if (another === undefined) return only;
  throw new UsageError(`${given} means more than one request (${only}, ${another}); give more of it`);
}

/** Lists begin with what is urgent, so all of it is looked through. */
async function newestRequest(client: Client): Promise<string> {
  for (const state of ["open", "all"] as const) {
    let newest: Request | undefined;
    for await (const request of readRequests(client, { state })) {
      if (newest === undefined || madeMs(request) >= madeMs(newest)) newest = request;
    }
    if (newest !== undefined) return newest.id;
  }
  throw new NotThereError("nobody has asked anything yet");
}

function madeMs({ createTime }: Request): number {
  return createTime === undefined ? 0 : timestampMs(createTime);
}
