import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Access_Scope, type Client, type Token, TokenSchema } from "../../client/client.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatSpan, formatTable } from "../view/format.ts";

const PAGE_SIZE = 1000;

export async function listTokens(context: Context): Promise<ExitCode> {
  const { out, json } = context;
  const tokens: Token[] = [];
  for await (const token of readTokens(await context.client())) tokens.push(token);
  if (json) for (const token of tokens) out.write(`${toJsonString(TokenSchema, token)}\n`);
  else if (tokens.length > 0) {
    const nowMs = Date.now();
    out.write(`${formatTable(tokens.map((token) => row(token, nowMs))).join("\n")}\n`);
  } else if (out.isTerminal) context.note("no token was given out; make one with `parley tokens create`");
  return EXIT.ok;
}

/** All of them, the newest first. */
export async function* readTokens(client: Client): AsyncGenerator<Token> {
  let pageToken = "";
  do {
    const page = await client.engine.listTokens({ pageSize: PAGE_SIZE, pageToken });
    yield* page.tokens;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function row({ id, name, scope, createTime, expireTime }: Token, nowMs: number): string[] {
  const age = createTime === undefined ? "" : `made ${formatSpan(nowMs - timestampMs(createTime))} ago`;
  const end = expireTime === undefined ? "until revoked" : `until ${formatMinute(timestampMs(expireTime))}`;
  return [id, name, scopeName(scope), age, end];
}

/** `2026-11-21 17:21 UTC` */
function formatMinute(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** A newer engine may have scopes that are not known here. */
function scopeName(scope: Access_Scope): string {
  switch (scope) {
    case Access_Scope.READ:
      return "read";
    case Access_Scope.OPERATE:
      return "operate";
    case Access_Scope.ADMIN:
      return "admin";
    case Access_Scope.UNSPECIFIED:
      return "none";
  }
  return String(scope);
}
