import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Request, RequestSchema, RequestState } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatSpan, formatTable } from "../view/format.ts";
import type { Output } from "../output.ts";
import { resolveSession } from "../session-ref.ts";
import { shorten } from "../terminal/width.ts";
import { readRequests, type RequestFilter } from "./find.ts";
import { endText } from "./lines.ts";
import { priorityName } from "./words.ts";

const DEFAULT_LIMIT = 50;
const MAX_TITLE = 80;

export interface ListOptions extends Pick<RequestFilter, "state"> {
  readonly session?: string;
  /** 0 = all. */
  readonly limit?: number;
}

export async function listRequests(context: Context, options: ListOptions): Promise<ExitCode> {
  const { out, json } = context;
  const { session, limit = DEFAULT_LIMIT, ...filter } = options;
  const client = await context.client();
  const sessionId = session === undefined ? "" : await resolveSession(client, session);
  const rows: string[][] = [];
  let count = 0;
  for await (const request of readRequests(client, { ...filter, sessionId })) {
    if (count++ === limit && limit !== 0) break;
    if (json) out.write(`${toJsonString(RequestSchema, request)}\n`);
    else rows.push(requestRow(request, out));
  }
  if (rows.length > 0) out.write(`${formatTable(rows).join("\n")}\n`);
  if (count === 0 && out.isTerminal && !json) context.note("nobody asks anything");
  return EXIT.ok;
}

function requestRow(request: Request, output: Output): string[] {
  const { id, priority, createTime, title, state, claimedBy } = request;
  const age = createTime === undefined ? "" : `${formatSpan(Date.now() - timestampMs(createTime))} ago`;
  const asked = shorten(output.foreignLine(title), MAX_TITLE);
  const claimed = claimedBy === "" ? "" : `claimed by ${output.foreignLine(claimedBy)}`;
  const more = state === RequestState.OPEN ? claimed : endText(output, request);
  return [id, priorityName(priority), age, `${asked}${more === "" ? "" : output.style.dim(`  ${more}`)}`];
}
