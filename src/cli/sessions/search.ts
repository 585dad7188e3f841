import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Role, type SearchHit, SearchHitSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatSpan } from "../view/format.ts";
import { resolveSession } from "../session-ref.ts";

const DEFAULT_LIMIT = 20;
const MAX_PAGE = 100;

export const ROLES = { user: Role.USER, assistant: Role.ASSISTANT, system: Role.SYSTEM, tool: Role.TOOL } as const;
type RoleName = keyof typeof ROLES;

export interface SearchOptions {
  readonly session?: string;
  readonly role?: RoleName;
  /** 0 = all. */
  readonly limit?: number;
}

/** Messages by their words, the newest first. */
export async function searchSessions(
  context: Context,
  words: readonly string[],
  options: SearchOptions,
): Promise<ExitCode> {
  const { out, json } = context;
  const client = await context.client();
  const { session, role, limit = DEFAULT_LIMIT } = options;
  const request = {
    query: words.join(" "),
    sessionId: session === undefined ? "" : await resolveSession(client, session),
    roles: role === undefined ? [] : [ROLES[role]],
  };
  let left = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  let pageToken = "";
  let count = 0;
  do {
    const page = await client.sessions.searchMessages({ ...request, pageSize: Math.min(left, MAX_PAGE), pageToken });
    for (const hit of page.hits.slice(0, left)) {
      out.write(json ? `${toJsonString(SearchHitSchema, hit)}\n` : hitLines(context, hit, count === 0));
      count++;
    }
    left -= page.hits.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && left > 0);
  if (count === 0 && out.isTerminal && !json) context.note("nothing was said so");
  return EXIT.ok;
}

function hitLines({ out }: Context, hit: SearchHit, isFirst: boolean): string {
  const { style, foreignLine } = out;
  const age = hit.createTime === undefined ? "" : ` · ${formatSpan(Date.now() - timestampMs(hit.createTime))} ago`;
  const who = Object.entries(ROLES).find(([, role]) => role === hit.role)?.[0] ?? "";
  const head = `${hit.sessionId} ${style.bold(foreignLine(hit.sessionTitle || "untitled"))}`;
  const text = hit.snippet.map((piece) =>
    piece.isMatch ? style.yellow(foreignLine(piece.text)) : foreignLine(piece.text),
  );
  return `${isFirst ? "" : "\n"}${head}\n${style.dim(`${hit.messageId} · ${who}${age}`)}\n  ${text.join("")}\n`;
}
